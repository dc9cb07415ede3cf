"""A cadir as `check` sees it: everything read, nothing believed.

Guarantee: looking changes nothing and never fails; what cannot be read is told as a
complaint beside what can.

Sources: Puppet's settings `cadir`, `signeddir`, `csrdir`, `cert_inventory`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from reseal import files
from reseal.ca.authority import layout_of, load_key
from reseal.ca.profile import Dialect
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import InvalidCertname, ParseError, ResealError, StoreError
from reseal.store.protocol import HIGHEST_SERIAL, InventoryRow, Store
from reseal.x509 import bundle, keys
from reseal.x509 import certificate as certs
from reseal.x509.certificate import Issuer
from reseal.x509.crl import RevocationList
from reseal.x509.keys import LocalSigner, PrivateKey

T = TypeVar("T")


@dataclass
class World:
    """What a cadir holds.

    Attributes:
        cadir: The directory.
        store: The store in it.
        clock: Tells the time of the check.
        complaints: What could not be read, as `file: why`.
    """

    cadir: Path
    store: Store
    clock: Clock
    complaints: list[str] = field(default_factory=list)

    @cached_property
    def now(self) -> datetime:
        """The time of the check."""
        return self.clock.now()

    @cached_property
    def key(self) -> PrivateKey | None:
        """The CA's key."""
        return self._try(lambda: load_key(self.cadir / "ca_key.pem"), None)

    @cached_property
    def bundle(self) -> tuple[x509.Certificate, ...]:
        """The CA's certificates as they stand in ca_crt.pem."""
        return self._try(lambda: bundle.load_certificates(self.store.bundle()), ())

    @cached_property
    def crls(self) -> tuple[RevocationList, ...]:
        """The revocation lists as they stand in ca_crl.pem."""
        return self._try(lambda: bundle.load_crls(self.store.crls()), ())

    @cached_property
    def ca(self) -> x509.Certificate | None:
        """The signing CA's certificate: the key's, or else the first."""
        if self.key is None:
            return self.bundle[0] if self.bundle else None
        public = self.key.public_key()
        mine = [c for c in self.bundle if keys.same_key(certs.public_key(c), public)]
        return max(mine, key=lambda each: each.not_valid_after_utc, default=None)

    @cached_property
    def issuer(self) -> Issuer | None:
        """What signs, if key and certificate belong together."""
        if self.key is None or self.ca is None:
            return None
        return Issuer(self.ca, LocalSigner(self.key))

    @property
    def dialect(self) -> Dialect:
        """In whose dialect the CA writes."""
        ca = self.ca
        return "server" if ca is None else layout_of(ca, self.cadir).dialect

    @cached_property
    def own_crl(self) -> RevocationList | None:
        """The CA's own list, proven by its signature."""
        return None if self.ca is None else bundle.own_crl(self.ca, self.crls)

    @cached_property
    def inventory(self) -> tuple[InventoryRow, ...] | None:
        """The inventory; None when a line of it cannot be read."""
        return self._try(lambda: tuple(self.store.inventory()), None)

    @property
    def rows(self) -> tuple[InventoryRow, ...]:
        """The inventory; empty when a line of it cannot be read."""
        return self.inventory or ()

    @cached_property
    def signed(self) -> dict[Certname, x509.Certificate]:
        """Every current certificate that can be read."""
        return self._each("signed", self.store.get)

    @cached_property
    def requests(self) -> dict[Certname, bytes]:
        """The requests that wait, in PEM."""
        return self._try(lambda: dict(self.store.requests()), {})

    @cached_property
    def intents(self) -> tuple[x509.Certificate, ...]:
        """Drafts that are not settled."""
        return self._try(lambda: tuple(self.store.intents()), ())

    @cached_property
    def highest(self) -> int:
        """The highest number used that `serial` can count on from.

        A list may hold longer ones, revoked when another tool numbered this CA.
        """
        listed = self.own_crl.serials() if self.own_crl else frozenset()
        known = {row.serial for row in self.rows} | listed
        known |= {c.serial_number for c in (*self.signed.values(), *self.intents)}
        return max((each for each in known if each <= HIGHEST_SERIAL), default=0)

    def _each(self, directory: str, read: Callable[[Certname], T]) -> dict[Certname, T]:
        found: dict[Certname, T] = {}
        for path in sorted((self.cadir / directory).glob("*.pem")):
            try:
                found[Certname(path.stem)] = read(Certname(path.stem))
            except InvalidCertname as error:
                self.complaints.append(f"{path}: {error}")
            except (StoreError, ParseError) as error:
                self.complaints.append(str(error))
        return found

    def _try(self, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except ResealError as error:
            self.complaints.append(str(error))
            return otherwise


def leftovers(cadir: Path, before: datetime) -> tuple[Path, ...]:
    """Return files that a crash left half written, last changed before a time."""
    found = []
    for path in sorted(cadir.rglob(f"{files.TEMPORARY}*")):
        with contextlib.suppress(FileNotFoundError):  # it may be done meanwhile
            if path.lstat().st_mtime < before.timestamp():
                found.append(path)
    return tuple(found)
