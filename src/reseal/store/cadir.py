"""A CA's durable memory, kept in Puppet's own directory.

Guarantee: Puppet's layout byte for byte, so that Puppet Server or the Ruby CA can
take the directory over again at any time.  Two processes never get one serial
number and never lose a line.

Sources: Puppet's settings `cadir`, `serial`, `cert_inventory` and `signeddir`;
Puppet Server, `certificate_authority.clj`.  Golden files: `tests/data/cadir/`.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from reseal import files, folders, locks
from reseal.certname import Certname
from reseal.errors import InvalidCertname, NotFound, StoreError
from reseal.store.batching import Batch
from reseal.store.formats import (
    HexCase,
    Serials,
    find_rows,
    parse_inventory,
    random_serial,
)
from reseal.store.infra import infra_serials, note_infra
from reseal.store.numbers import take_serials
from reseal.store.protocol import (
    Change,
    InventoryRow,
    Public,
    Published,
)
from reseal.store.reading import read_certificate, read_published
from reseal.x509.certificate import common_name, to_pem

PUBLIC = 0o644
"""Mode of every file but keys, as Puppet Server's `public-key-perms`."""

CLAIMS = 64
"""How many locks there are for names; names that share one only wait longer."""

_PUBLIC: dict[Public, str] = {
    "bundle": "ca_crt.pem",
    "crls": "ca_crl.pem",
    "infra_crls": "infra_crl.pem",
}


@dataclass(frozen=True, slots=True)
class _Addition:
    """A certificate on its way into the cadir."""

    certificate: x509.Certificate
    name: Certname
    staged: files.Staged


@dataclass(frozen=True, slots=True)
class CadirStore:
    """A `Store` under `root`, which is Puppet's `cadir`.

    Layout:
        serial              next serial number: hexadecimal, at least 4 digits
        inventory.txt       a line for each certificate ever kept
        signed/NAME.pem     the current certificate of certname NAME
        requests/NAME.pem   a request that waits
        ca_crt.pem          CA certificates, the signing one first
        ca_crl.pem          revocation lists, the CA's own first
        infra_*             names, serials and lists of infrastructure nodes
        intents/SERIAL.pem  drafts not yet settled: reseal's own, Puppet ignores it
        derived/NAME        what can be made anew from the rest: reseal's own, too

    Attributes:
        root: The cadir.
        hex_case: As inventory.txt has it; Puppet Server's upper, the Ruby CA's lower.
        serials: Puppet's, or random ones, after which Puppet Server cannot go on.
    """

    root: Path
    hex_case: HexCase = "upper"
    serials: Serials = "sequential"
    _numbers: Batch[None, int] = field(default_factory=Batch, init=False, repr=False)
    _additions: Batch[_Addition, None] = field(
        default_factory=Batch, init=False, repr=False
    )

    def next_serial(self) -> int:
        if self.serials == "random":
            return random_serial()
        return self._numbers.ask(None, self._take_serials)

    def _take_serials(self, wanted: Sequence[None]) -> Sequence[int]:
        """Take the next numbers, one for each thread that waits for one."""
        return take_serials(self.root, len(wanted), mode=PUBLIC)

    def record_intent(self, draft: x509.Certificate) -> None:
        files.make_directory(f"{self.root}/intents", mode=0o750)
        files.replace(self._intent(draft.serial_number), to_pem(draft), mode=PUBLIC)

    def intents(self) -> Iterator[x509.Certificate]:
        directory = self.root / "intents"
        for name, pem in folders.read_all(directory, ".pem"):
            yield read_certificate(pem, directory / f"{name}.pem")

    def drop_intent(self, serial: int) -> None:
        # One that a power cut brings back is settled again by check.
        files.remove(self._intent(serial), durable=False)

    def add(self, certificate: x509.Certificate) -> None:
        name = Certname(common_name(certificate))
        files.make_directory(f"{self.root}/signed", mode=0o755)
        pem = to_pem(certificate)
        staged = files.stage(self._signed(name), pem, mode=PUBLIC)
        self._additions.ask(_Addition(certificate, name, staged), self._add_all)
        self.drop_intent(certificate.serial_number)

    def _add_all(self, additions: Sequence[_Addition]) -> Sequence[None]:
        """Keep the certificates of all threads that wait for it."""
        staged = [each.staged for each in additions]
        try:
            with self._locked():
                self._append([each.certificate for each in additions])
                for each in additions:
                    serial = each.certificate.serial_number
                    note_infra(self.root, each.name, serial, mode=PUBLIC)
                files.publish(staged)
        except StoreError:
            files.discard(staged)
            raise
        return [None] * len(additions)

    def get(self, certname: Certname) -> x509.Certificate:
        path = self._signed(certname)
        try:
            return read_certificate(files.read(path), path)
        except NotFound:
            raise NotFound(f"{certname}: has no certificate") from None

    def claim(self, certname: Certname) -> contextlib.AbstractContextManager[None]:
        directory = f"{self.root}/intents"
        files.make_directory(directory, mode=0o750)
        number = zlib.crc32(certname.encode()) % CLAIMS
        return locks.locked(directory, name=f".claim-{number:02x}")

    def published(self, what: Public) -> Published:
        return read_published(f"{self.root}/{_PUBLIC[what]}")

    def published_certificate(self, certname: Certname) -> Published:
        return read_published(self._signed(certname))

    def stamp(self, what: Public) -> Hashable:
        return files.stamp(f"{self.root}/{_PUBLIC[what]}")

    def latest(self) -> Hashable:
        return files.stamp(self.root / "signed")

    def is_signed(self, certname: Certname) -> bool:
        return files.exists(self._signed(certname))

    def certnames(self) -> Iterator[Certname]:
        for name in folders.names_in(self.root / "signed", ".pem"):
            with contextlib.suppress(InvalidCertname):
                yield Certname(name)

    def certificate_stamps(self) -> Iterator[tuple[str, str]]:
        for name, stamp in folders.stamps_in(self.root / "signed", ".pem"):
            yield name, "{}.{}.{}".format(*stamp)

    def certificates(self) -> Iterator[tuple[Certname, x509.Certificate]]:
        for name, pem in folders.read_all(self.root / "signed", ".pem"):
            with contextlib.suppress(InvalidCertname):
                certname = Certname(name)
                yield certname, read_certificate(pem, f"{self.root}/signed/{name}.pem")

    def remove_certificate(self, certname: Certname) -> None:
        with self._locked():
            if not self.is_signed(certname):
                raise NotFound(f"{certname}: has no certificate")
            files.remove(self._signed(certname))

    def save_request(self, certname: Certname, pem: bytes) -> None:
        files.make_directory(self.root / "requests", mode=0o755)
        files.replace(self._request(certname), pem, mode=PUBLIC)

    def request(self, certname: Certname) -> bytes:
        try:
            return files.read(self._request(certname))
        except NotFound:
            raise NotFound(f"{certname}: has no request") from None

    def requests(self) -> Iterator[tuple[Certname, bytes]]:
        for name, pem in folders.read_all(self.root / "requests", ".pem"):
            with contextlib.suppress(InvalidCertname):
                yield Certname(name), pem

    def count_requests(self) -> int:
        return len(folders.names_in(self.root / "requests", ".pem"))

    def remove_request(self, certname: Certname) -> None:
        if not files.exists(self._request(certname)):
            raise NotFound(f"{certname}: has no request")
        files.remove(self._request(certname))

    def inventory(self) -> Iterator[InventoryRow]:
        path = self.root / "inventory.txt"
        yield from parse_inventory(files.read(path), str(path))

    def rows_of(self, certname: Certname) -> tuple[InventoryRow, ...]:
        path = self.root / "inventory.txt"
        lines = find_rows(files.read(path), certname)
        return tuple(parse_inventory(lines, str(path)))

    def add_rows(self, certificates: Iterable[x509.Certificate]) -> None:
        with self._locked():
            known = {row.serial for row in self.inventory()}
            self._append([c for c in certificates if c.serial_number not in known])

    def rebuild_inventory(self) -> None:
        with self._locked():
            found = sorted(self.certificates(), key=lambda each: each[1].serial_number)
            lines = b"".join(self._line(certificate) for _, certificate in found)
            path = self.root / "inventory.txt"
            files.replace(path, lines, mode=self._inventory_mode)

    def bundle(self) -> bytes:
        return files.read(self.root / "ca_crt.pem")

    def replace_bundle(self, pem: bytes) -> None:
        with self._locked():
            files.replace(self.root / "ca_crt.pem", pem, mode=PUBLIC)

    def crls(self) -> bytes:
        return files.read(self.root / "ca_crl.pem")

    def update_crls(self, change: Change) -> None:
        path = self.root / "ca_crl.pem"
        with self._locked():
            changed = change(files.read(path))
            if changed is not None:
                files.replace(path, changed, mode=PUBLIC)

    def update_infra_crls(
        self, change: Callable[[bytes, frozenset[int]], bytes | None]
    ) -> None:
        path = self.root / "infra_crl.pem"
        with self._locked():
            if not path.exists():
                return
            changed = change(files.read(path), infra_serials(self.root))
            if changed is not None:
                files.replace(path, changed, mode=PUBLIC)

    def derived(self, name: str) -> bytes:
        return files.read(self.root / "derived" / name)

    def keep_derived(self, name: str, data: bytes) -> None:
        files.make_directory(self.root / "derived", mode=0o750)
        files.replace(self.root / "derived" / name, data, mode=0o640)

    @property
    def _inventory_mode(self) -> int:
        return 0o640 if self.hex_case == "upper" else PUBLIC

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return locks.locked(self.root)

    def _append(self, certificates: Iterable[x509.Certificate]) -> None:
        lines = b"".join(self._line(certificate) for certificate in certificates)
        if lines:
            path = f"{self.root}/inventory.txt"
            files.append(path, lines, mode=self._inventory_mode)

    def _line(self, certificate: x509.Certificate) -> bytes:
        ruby = self.hex_case == "lower"
        return InventoryRow.of(certificate, ruby=ruby).line(ruby=ruby)

    def _signed(self, certname: Certname) -> str:
        return f"{self.root}/signed/{certname}.pem"

    def _request(self, certname: Certname) -> str:
        return f"{self.root}/requests/{certname}.pem"

    def _intent(self, serial: int) -> str:
        return f"{self.root}/intents/{serial:04X}.pem"
