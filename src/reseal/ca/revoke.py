"""Revoke serial numbers and publish the next revocation list.

Guarantee: a serial number that was ever listed stays listed; the CA's own list
stays first in its bundle, and the others as they are, byte for byte.

Unlike the Ruby CA, revoking twice adds no second entry.

Sources: Puppet Server, `certificate_authority.clj` (`revoke-existing-certs!`: all
live serials of a name, reason keyCompromise, five years); RFC 5280 section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reseal.audit import audit
from reseal.ca.profile import CRL_LIFE, Dialect
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import NotFound, StoreCorrupt
from reseal.store.protocol import Store
from reseal.x509 import bundle, crl
from reseal.x509.certificate import Issuer
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry


@dataclass(frozen=True, slots=True)
class Revocation:
    """What revoking did.

    Attributes:
        serials: Every serial number asked for, in ascending order; all are on the
            list now.
        added: Those that were not on it before.
    """

    serials: tuple[int, ...]
    added: tuple[int, ...]


def serials_of(certname: Certname, store: Store, now: datetime) -> tuple[int, ...]:
    """Return every serial number of a name that may still be in use, ascending.

    That is each inventory row that has not expired and the current certificate,
    because renewals leave older certificates that work.

    Raises:
        NotFound: The CA knows no certificate of that name.
    """
    rows = store.rows_of(certname)
    found = {row.serial for row in rows if row.not_after > now}
    try:
        found.add(store.get(certname).serial_number)
    except NotFound:
        if not found:
            raise NotFound(f"{certname}: has no certificate to revoke") from None
    return tuple(sorted(found))


def revoke(
    serials: Iterable[int],
    *,
    issuer: Issuer,
    store: Store,
    clock: Clock,
    dialect: Dialect = "server",
) -> Revocation:
    """Put serial numbers on the CA's list, and on the infrastructure's if they count.

    Args:
        serials: At least one.
        issuer: The CA that issued them.
        store: Publishes the lists.
        clock: The time now.
        dialect: Whose arithmetic nextUpdate follows.

    Raises:
        StoreCorrupt: The bundle has no list of this CA.
        StoreError: The list could not be published; the old one stands.
    """
    publisher = _Publisher(issuer, clock.now(), dialect, tuple(sorted(set(serials))))
    added: list[int] = []
    store.update_crls(lambda pem: publisher.publish(pem, publisher.serials, added))
    store.update_infra_crls(
        lambda pem, infra: publisher.publish(pem, infra & set(publisher.serials), [])
    )
    if added:
        audit("certificate.revoked", serials=[f"{serial:04X}" for serial in added])
    return Revocation(publisher.serials, tuple(added))


@dataclass(frozen=True, slots=True)
class _Publisher:
    """Makes the next list of one CA."""

    issuer: Issuer
    now: datetime
    dialect: Dialect
    serials: tuple[int, ...]

    def publish(
        self, pem: bytes, chosen: Iterable[int], added: list[int]
    ) -> bytes | None:
        """Return the bundle with `chosen` on the CA's list; None if they all were.

        `added` is told which were not.
        """
        lists = bundle.load_crls(pem)
        own = own_list(self.issuer, lists)
        added += [serial for serial in sorted(chosen) if own.revoked(serial) is None]
        if not added:
            return None
        longer = crl.extend(
            own,
            [Entry(serial, self.now) for serial in added],
            self.issuer.signer,
            this_update=self.now - timedelta(seconds=1),
            next_update=next_update(self.now, self.dialect),
            number_first=self.dialect == "server",
        )
        return with_own_list(longer, own, lists)


def next_update(now: datetime, dialect: Dialect) -> datetime:
    """Return when a list published now ends: in five years, as the dialect counts."""
    if dialect == "ruby":
        return now + CRL_LIFE
    try:
        return now.replace(year=now.year + 5)
    except ValueError:
        return now.replace(year=now.year + 5, day=28)


def own_list(issuer: Issuer, lists: Iterable[RevocationList]) -> RevocationList:
    """Return the CA's own list of a bundle; `StoreCorrupt` without one."""
    own = bundle.own_crl(issuer.certificate, lists)
    if own is None:
        raise StoreCorrupt(
            "ca_crl.pem: has no list signed with the CA's key",
            hint="see what is known to be revoked with: reseal ca check",
        )
    return own


def with_own_list(
    new: RevocationList, old: RevocationList, lists: Iterable[RevocationList]
) -> bytes:
    """Return the bundle with the CA's list replaced, and first."""
    return bundle.dump_crls((new, *(each for each in lists if each is not old)))
