"""The door of the room: what a CA must not forget, and the records it keeps.

Other rooms import this module and nothing else from here.

Sources: Puppet Server, `certificate_authority.clj` (what is kept, and in which
order); RFC 5280 section 5 (revocation lists).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from cryptography import x509

from reseal.certname import Certname
from reseal.x509 import names
from reseal.x509.certificate import subject

HIGHEST_SERIAL = 0x7FFFFFFF
"""Puppet Server reads serial numbers as signed numbers of 32 bits."""

RANDOM_BITS = 127
"""Length of a serial number that was drawn and not counted: 16 octets, positive."""

Change = Callable[[bytes], bytes | None]
"""Makes new content of the old; None says that nothing changes."""


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One certificate that was issued once.

    Attributes:
        serial: Serial number.
        not_before: Aware, UTC.
        not_after: Aware, UTC.
        subject: The name with a slash before it: `/CN=web01.example.com`.
    """

    serial: int
    not_before: datetime
    not_after: datetime
    subject: str

    @classmethod
    def of(cls, certificate: x509.Certificate, *, ruby: bool = False) -> InventoryRow:
        """Return a certificate's row; `ruby` writes names as the Ruby CA does."""
        name = subject(certificate)
        return cls(
            serial=certificate.serial_number,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            subject=names.slashes(name) if ruby else f"/{names.commas(name)}",
        )

    def line(self, *, ruby: bool = False) -> bytes:
        """Return the row as inventory.txt has it, with its line feed.

        Puppet Server writes hexadecimal in upper case, the Ruby CA in lower.
        """
        serial = f"{self.serial:04x}" if ruby else f"{self.serial:04X}"
        begin, end = f"{self.not_before:%FT%T}UTC", f"{self.not_after:%FT%T}UTC"
        return f"0x{serial} {begin} {end} {self.subject}\n".encode()

    @property
    def certname(self) -> str:
        """The common name if the subject is nothing else, or an empty string."""
        return self.subject.removeprefix("/CN=") if self.subject[:4] == "/CN=" else ""


def is_random(serial: int) -> bool:
    """Say whether a serial number was drawn and not counted."""
    return serial.bit_length() == RANDOM_BITS


Public = Literal["bundle", "crls", "infra_crls"]
"""What a CA publishes: its certificates, its lists, the infrastructure's lists."""


@dataclass(frozen=True, slots=True)
class Published:
    """Something as nodes get it.

    Attributes:
        pem: Byte for byte.
        modified: When it was written: aware, UTC, with fractions of a second.
    """

    pem: bytes
    modified: datetime


class Store(Protocol):
    """What a CA must not forget.

    Once a method has returned, a power cut does not undo it, and other processes
    see it.  Every method raises `StoreError` when the medium fails, `StoreCorrupt`
    when it lies and `StoreLocked` when another process holds it too long.
    """

    def next_serial(self) -> int:
        """Return a serial number, 1 or more, that was never returned before.

        Raises:
            StoreError: There is none left; a failure may cost a number.
        """

    def record_intent(self, draft: x509.Certificate) -> None:
        """Remember that a certificate with the contents of `draft` may now exist."""

    def intents(self) -> Iterator[x509.Certificate]:
        """Yield the drafts of which nobody has told what became of them."""

    def drop_intent(self, serial: int) -> None:
        """Forget an intent; no error when there is none."""

    def add(self, certificate: x509.Certificate) -> None:
        """Keep `certificate` and settle its intent; on failure the intent stays."""

    def get(self, certname: Certname) -> x509.Certificate:
        """Return the current certificate of `certname`, or raise `NotFound`."""

    def claim(self, certname: Certname) -> AbstractContextManager[None]:
        """Hold a name: nobody else decides about it until the block ends."""

    def published(self, what: Public) -> Published:
        """Return what nodes get, or raise `NotFound`."""

    def published_certificate(self, certname: Certname) -> Published:
        """Return a certificate as nodes get it, or raise `NotFound`."""

    def stamp(self, what: Public) -> Hashable:
        """Return what differs as soon as `what` is published anew."""

    def latest(self) -> Hashable:
        """Return what differs as soon as a certificate is added or removed."""

    def is_signed(self, certname: Certname) -> bool:
        """Say whether a name has a certificate; quick."""

    def certnames(self) -> Iterator[Certname]:
        """Yield the names that have a certificate, sorted."""

    def certificate_stamps(self) -> Iterator[tuple[str, str]]:
        """Yield every name with a certificate, and what differs once it is another.

        Quick, and in no order: what is not a certname may be among them.
        """

    def certificates(self) -> Iterator[tuple[Certname, x509.Certificate]]:
        """Yield every name and its current certificate, sorted by name."""

    def remove_certificate(self, certname: Certname) -> None:
        """Forget the current certificate, not its row; NotFound without one."""

    def save_request(self, certname: Certname, pem: bytes) -> None:
        """Keep a request until it is signed or removed; replaces an older one."""

    def request(self, certname: Certname) -> bytes:
        """Return the PEM of a request, or raise `NotFound`."""

    def requests(self) -> Iterator[tuple[Certname, bytes]]:
        """Yield every name that waits and its request's PEM, sorted by name."""

    def count_requests(self) -> int:
        """Return how many requests wait."""

    def remove_request(self, certname: Certname) -> None:
        """Forget a request; NotFound without one."""

    def inventory(self) -> Iterator[InventoryRow]:
        """Yield a row for each certificate ever kept, oldest first."""

    def rows_of(self, certname: Certname) -> tuple[InventoryRow, ...]:
        """Return the inventory's rows of one name, oldest first."""

    def add_rows(self, certificates: Iterable[x509.Certificate]) -> None:
        """Add rows for certificates that are missing from the inventory."""

    def rebuild_inventory(self) -> None:
        """Make the inventory of the current certificates alone."""

    def bundle(self) -> bytes:
        """Return the PEM bundle of CA certificates, the signing one first."""

    def replace_bundle(self, pem: bytes) -> None:
        """Publish another bundle of CA certificates."""

    def crls(self) -> bytes:
        """Return the PEM bundle of revocation lists, the CA's own first."""

    def update_crls(self, change: Change) -> None:
        """Publish what `change` makes of the lists; nobody else does meanwhile."""

    def update_infra_crls(
        self, change: Callable[[bytes, frozenset[int]], bytes | None]
    ) -> None:
        """Publish what `change` makes of the infrastructure's lists.

        `change` also gets the serial numbers of infrastructure nodes.  It is not
        called in a CA that keeps no such list.
        """

    def derived(self, name: str) -> bytes:
        """Return what `keep_derived` kept last under a name, or raise `NotFound`."""

    def keep_derived(self, name: str, data: bytes) -> None:
        """Keep what can be made anew from the rest, so that it need not be."""
