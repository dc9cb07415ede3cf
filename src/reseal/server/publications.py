"""What the CA publishes: certificates, revocation lists, and when they end.

Sources: Puppet Server, `certificate_authority_core.clj` (`handle-get-certificate`,
`handle-get-certificate-revocation-list`, `handle-get-ca-expirations`).
"""

from __future__ import annotations

from reseal.errors import NotFound
from reseal.server.call import Call, document, plain, published, utc
from reseal.wire import Response
from reseal.x509.certificate import common_name


def get_certificate(call: Call) -> Response:
    """GET certificate/NAME: the CA's bundle for `ca`, else a node's certificate."""
    store = call.office.store
    if call.name == "ca":
        return published(call, store.published("bundle"))
    try:
        if call.certname is None:
            raise NotFound(call.name)
        return published(call, store.published_certificate(call.certname))
    except NotFound:
        return plain(404, f"Could not find certificate {call.name}")


def get_crl(call: Call) -> Response:
    """GET certificate_revocation_list/ca: every list of the CA's chain."""
    infra = call.office.options.enable_infra_crl
    return published(
        call, call.office.store.published("infra_crls" if infra else "crls")
    )


def get_expirations(call: Call) -> Response:
    """GET expirations: the end of each CA certificate and list, by common name."""
    office = call.office
    ends = {common_name(c): utc(c.not_valid_after_utc) for c in office.authority.bundle}
    lists = {
        each.issuer_common_name: utc(each.next_update)
        for each in office.lists
        if each.next_update
    }
    return document({"ca-certs": ends, "crls": lists})
