"""Publish revocation lists again before they end.

A list that has ended makes every node refuse every other one.  Guarantee: a list is
published again with the same entries by the CA that signed it, when its key is here;
of one that cannot be signed here, somebody hears in good time.

Sources: RFC 5280 section 5.1.2.5 (nextUpdate); `root_key.pem` is where
puppetserver-ca-cli leaves the root's key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reseal.audit import audit
from reseal.ca.authority import Authority, load_key
from reseal.ca.revoke import next_update
from reseal.clock import Clock
from reseal.errors import NotFound
from reseal.x509 import bundle, crl, keys
from reseal.x509 import certificate as certs
from reseal.x509.certificate import Issuer
from reseal.x509.crl import RevocationList
from reseal.x509.keys import LocalSigner

RENEW = timedelta(days=30)
"""A list that ends within this time is published again."""

WARN = timedelta(days=90)
"""What cannot be renewed here is told of from this time before its end."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends and cannot be renewed here.

    Attributes:
        what: `the revocation list of X` and the like.
        end: When, aware.
    """

    what: str
    end: datetime


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was done and what is left to do.

    Attributes:
        renewed: Names of the CAs whose lists were published again.
        ending: What ends soon, or has ended.
    """

    renewed: tuple[str, ...]
    ending: tuple[Ending, ...]


def refresh_lists(authority: Authority, clock: Clock) -> Refreshed:
    """Publish every list that ends soon and can be signed here.

    Returns:
        Whose lists; and which lists and CA certificates end and stay as they are.
    """
    now, signers = clock.now(), [*_signers(authority)]
    renewed: dict[str, None] = {}

    def change(pem: bytes) -> bytes | None:
        lists = bundle.load_crls(pem)
        longer = [_longer(each, signers, now, authority) for each in lists]
        if all(one is other for one, other in zip(longer, lists, strict=True)):
            return None
        for one, other in zip(longer, lists, strict=True):
            if one is not other:
                renewed[one.issuer_common_name] = None
        return bundle.dump_crls(longer)

    authority.store.update_crls(change)
    authority.store.update_infra_crls(lambda pem, _: change(pem))
    if renewed:
        audit("crl.renewed", authorities=[*renewed])
    return Refreshed(tuple(renewed), tuple(_ending(authority, signers, now)))


def _signers(authority: Authority) -> Iterable[Issuer]:
    """Yield the CAs of the chain whose keys are here."""
    yield authority.issuer
    try:
        root = LocalSigner(load_key(authority.cadir / "root_key.pem"))
    except NotFound:
        return
    for each in authority.bundle[1:]:
        if keys.same_key(root.public_key, certs.public_key(each)):
            yield Issuer(each, root)


def _longer(
    found: RevocationList, signers: list[Issuer], now: datetime, authority: Authority
) -> RevocationList:
    """Return a list with a new end; the same one if it is not time, or has no key."""
    if found.next_update is None or found.next_update > now + RENEW:
        return found
    signer = _signer_of(found, signers)
    if signer is None:
        return found
    return crl.extend(
        found,
        (),
        signer.signer,
        this_update=now - timedelta(seconds=1),
        next_update=next_update(now, authority.layout.dialect),
    )


def _signer_of(found: RevocationList, signers: list[Issuer]) -> Issuer | None:
    """Return the CA that signed a list, if its key is here."""
    for each in signers:
        if bundle.own_crl(each.certificate, [found]) is not None:
            return each
    return None


def _ending(
    authority: Authority, signers: list[Issuer], now: datetime
) -> Iterable[Ending]:
    for each in authority.bundle:
        if each.not_valid_after_utc <= now + WARN:
            name = certs.common_name(each)
            yield Ending(f"the certificate of {name}", each.not_valid_after_utc)
    for found in bundle.load_crls(authority.store.crls()):
        end = found.next_update
        if end and end <= now + WARN and _signer_of(found, signers) is None:
            yield Ending(f"the revocation list of {found.issuer_common_name}", end)
