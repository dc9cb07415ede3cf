"""Take newer revocation lists of the CAs above: an intermediate CA's duty.

Guarantee: the CA's own list is never replaced from outside, a list gives way only to
one with a higher number, and what is published then was proven to hold together.

Sources: Puppet Server, `certificate_authority.clj` (`update-crls!`: matched by the
authority key identifier, the highest number wins); ssl-utils, `CRLUtils.java`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reseal.audit import audit
from reseal.ca.authority import Authority
from reseal.ca.revoke import own_list
from reseal.clock import Clock
from reseal.errors import ChainInvalid, ParseError, PolicyError
from reseal.x509 import bundle, certexts, oids
from reseal.x509.crl import RevocationList

_SUBJECT = "revocation lists"


def update_upstream(authority: Authority, sent: bytes, clock: Clock) -> int:
    """Replace the lists of the CAs above by newer ones.

    Args:
        authority: The CA.
        sent: PEM of the lists.
        clock: The time now.

    Returns:
        How many lists were replaced; none is no error.

    Raises:
        PolicyError: They cannot be read or taken; the reason is Puppet Server's.
    """
    newest = _newest(_read(sent))
    replaced: list[str] = []

    def change(pem: bytes) -> bytes | None:
        lists = bundle.load_crls(pem)
        own = own_list(authority.issuer, lists)
        merged = tuple(_newer(each, own, newest) for each in lists)
        _prove(authority, merged, clock.now())
        gone = [old for old, new in zip(lists, merged, strict=True) if old is not new]
        replaced[:] = [each.issuer_common_name for each in gone]
        return bundle.dump_crls(merged) if gone else None

    authority.store.update_crls(change)
    issuers = [*replaced]
    authority.store.update_infra_crls(lambda pem, _: change(pem))
    if issuers:
        audit("crl.updated", issuers=issuers)
    return len(issuers)


def _read(sent: bytes) -> Sequence[RevocationList]:
    try:
        return bundle.load_crls(sent)
    except ParseError as error:
        found = b"-----BEGIN X509 CRL-----" in sent
        fault = str(error) if found else "No valid CRLs submitted."
        raise PolicyError(_SUBJECT, [fault]) from None


def _newest(sent: Sequence[RevocationList]) -> dict[bytes, RevocationList]:
    """Return the newest list of each authority key identifier."""
    found: dict[bytes, RevocationList] = {}
    for each in sent:
        if certexts.find(each.extensions, oids.DELTA_CRL):
            raise PolicyError(_SUBJECT, ["Cannot support delta CRL."])
        if each.aki is None:
            raise PolicyError(
                _SUBJECT,
                ["One or more submitted CRLs do not have an authority key identifier."],
            )
        rival = found.setdefault(each.aki, each)
        if rival.number == each.number and rival.der != each.der:
            raise PolicyError(_SUBJECT, ["Could not determine newest CRL."])
        if (each.number or 0) > (rival.number or 0):
            found[each.aki] = each
    return found


def _newer(
    old: RevocationList, own: RevocationList, newest: dict[bytes, RevocationList]
) -> RevocationList:
    """Return what takes the place of a list: itself unless a newer one was sent."""
    new = newest.get(old.aki) if old.aki and old is not own else None
    if new is None or (new.number or 0) <= (old.number or 0):
        return old
    return new


def _prove(
    authority: Authority, lists: tuple[RevocationList, ...], now: datetime
) -> None:
    """Hold the chain to the lists; a wrong signature finds no list at all."""
    try:
        bundle.verify_chain(authority.bundle[0], authority.bundle, lists, now)
    except ChainInvalid as error:
        raise PolicyError(_SUBJECT, [f"Invalid certs and/or CRLs: {error}"]) from None
