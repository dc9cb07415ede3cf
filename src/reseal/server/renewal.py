"""`certificate_renewal`: a node's next certificate for its present one.

Sources: Puppet Server 8, `certificate_authority_core.clj`
(`handle-cert-renewal`); the answers of a real one.
"""

from __future__ import annotations

import logging

from reseal.ca.profile import Profile
from reseal.ca.renew import renew, renewable
from reseal.errors import ChainInvalid, PolicyError
from reseal.server.call import Call, plain, said
from reseal.wire import TEXT, Response
from reseal.x509.certificate import to_pem

_LOG = logging.getLogger("reseal.server")


def post_renewal(call: Call) -> Response:
    """POST certificate_renewal: the new certificate, or why there is none."""
    office = call.office
    if not office.options.allow_auto_renewal:
        return plain(404, "Not Found")
    if call.caller.certificate is None:
        return said(400, "No valid certificate found in renewal request")
    try:
        approved = renewable(
            call.caller.certificate, office.authority, office.lists, office.clock.now()
        )
    except (ChainInvalid, PolicyError) as error:
        _LOG.warning("%s: not renewed: %s", call.caller.name, error)
        return plain(403, "Certificate present, but does not match signature")
    profile = Profile(
        office.options.auto_renewal_cert_ttl, office.authority.layout.dialect
    )
    certificate = renew(approved, office.authority, profile, office.clock)
    return Response(200, TEXT, to_pem(certificate))
