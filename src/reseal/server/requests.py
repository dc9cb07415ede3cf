"""Requests of nodes: taken in, shown, removed.

Sources: Puppet Server, `certificate_authority_core.clj`
(`handle-put-certificate-request!` and its neighbours).
"""

from __future__ import annotations

import logging

from reseal.audit import audit
from reseal.ca.intake import Autosign, Intake
from reseal.ca.policy import weaknesses
from reseal.errors import NotFound
from reseal.server.call import Call, plain
from reseal.wire import TEXT, Response
from reseal.x509.csr import parse_request

_LOG = logging.getLogger("reseal.server")


def put_request(call: Call, autosign: Autosign) -> Response:
    """PUT certificate_request/NAME: 200, whether it was signed at once or waits.

    Raises:
        ResealError: As `Intake.receive`.
    """
    office = call.office
    intake = Intake(
        authority=office.authority,
        rules=office.rules,
        profile=office.profile(),
        clock=office.clock,
        autosign=autosign,
        revoked=office.revoked,
        duplicates=office.options.allow_duplicate_certs,
        waiting=office.options.waiting_requests,
    )
    intake.receive(call.name, call.body)
    if office.options.key_policy == "warn":
        for why in weaknesses(parse_request(call.body), call.name):
            _LOG.warning("%s; key_policy lets it pass", why)
    return Response(200, TEXT, b"")


def get_request(call: Call) -> Response:
    """GET certificate_request/NAME: the request that waits."""
    try:
        if call.certname is None:
            raise NotFound(call.name)
        return Response(200, TEXT, call.office.store.request(call.certname))
    except NotFound:
        return plain(404, f"Could not find certificate_request {call.name}")


def delete_request(call: Call) -> Response:
    """DELETE certificate_request/NAME: 204; no default rule lets anybody do it."""
    try:
        if call.certname is None:
            raise NotFound(call.name)
        with call.office.store.claim(call.certname):
            call.office.store.remove_request(call.certname)
    except NotFound:
        return plain(404, f"No certificate request for {call.name}")
    audit("request.removed", certname=call.name)
    return Response(204, TEXT, b"")
