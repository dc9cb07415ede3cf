"""Revocation lists: build, extend, look up.

A site's list may have 100,000 entries and grows by one.  cryptography's builder
copies the list for each entry, so here the old entries' bytes are taken over in one
piece and only what is new is encoded.  Looking up a serial number that is not on
the list, the common case, is one search for its bytes.

Guarantee: a list that was extended has every entry of the old one, byte for byte.

Sources: RFC 5280 section 5; Puppet Server, `certificate_authority.clj` (profile of
the lists, reason keyCompromise); ssl-utils, `CRLUtils.java`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reseal.errors import ParseError
from reseal.x509 import certexts, der, keys, names, oids, pem, signatures
from reseal.x509.certexts import Extension
from reseal.x509.crlentry import Entry, entry_at
from reseal.x509.keys import PublicKey, Signer

LABEL = "X509 CRL"
_ANSWERS = 4096  # Of a list that many ask about; then it begins anew.
_FEW = 16  # Up to so many numbers are searched for; more are worth an index.


@dataclass(frozen=True)
class RevocationList:
    """A list as it was signed.

    Attributes:
        der: The whole list.
        tbs: What is signed of it.
        issuer: DER of the issuer's name.
        this_update: Aware, UTC.
        next_update: Aware, UTC; None if the list does not say.
        extensions: In the list's order.
        revoked_entries: DER of the entries, one after the other.
        algorithm: DER of the signature's AlgorithmIdentifier.
        signature: Its bytes.
    """

    der: bytes
    tbs: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    extensions: tuple[Extension, ...]
    revoked_entries: bytes
    algorithm: bytes
    signature: bytes

    @property
    def number(self) -> int | None:
        """The cRLNumber, or None without one."""
        extension = certexts.find(self.extensions, oids.CRL_NUMBER)
        return der.read_integer(der.parse(extension.value)) if extension else None

    @property
    def aki(self) -> bytes | None:
        """The key identifier of the issuer, or None without one."""
        extension = certexts.find(self.extensions, oids.AUTHORITY_KEY_ID)
        return certexts.read_authority_key_id(extension).key_id if extension else None

    @property
    def issuer_common_name(self) -> str:
        """The issuer's first common name; empty without one."""
        return names.read_common_name(self.issuer)

    @property
    def pem(self) -> bytes:
        """The list as Puppet writes it."""
        return pem.encode(LABEL, self.der)

    def revoked(self, serial: int) -> Entry | None:
        """Return the entry of a serial number, or None if it is not on the list."""
        if serial in (answers := self._answers):
            return answers[serial]
        if len(answers) >= _ANSWERS:
            self.__dict__["_answers"] = answers = {}
        answers[serial] = found = self._find(serial)
        return found

    def _find(self, serial: int) -> Entry | None:
        known = "_positions" in self.__dict__
        if not known and der.integer(serial) not in self.revoked_entries:
            return None
        start = self._positions.get(serial)
        return None if start is None else entry_at(self.revoked_entries, start)

    def serials(self) -> frozenset[int]:
        """Return every serial number on the list."""
        return frozenset(self._positions)

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry, in the list's order; a serial twice listed, once."""
        found = self._positions.values()
        return tuple(entry_at(self.revoked_entries, start) for start in found)

    def __len__(self) -> int:
        return len(self._positions)

    def is_signed_by(self, key: PublicKey) -> bool:
        """Say whether the signature was made with `key`; checked once for each key."""
        info, scheme = keys.public_info(key), signatures.scheme_of(self.algorithm)
        if info not in self._proofs:
            found = signatures.verify(key, scheme, self.signature, self.tbs)
            self._proofs[info] = found
        return self._proofs[info]

    @cached_property
    def _answers(self) -> dict[int, Entry | None]:
        """What was asked before: the same callers come again and again."""
        return {}

    @cached_property
    def _proofs(self) -> dict[bytes, bool]:
        return {}

    @cached_property
    def _positions(self) -> dict[int, int]:
        """Where the first entry of each serial number begins."""
        found: dict[int, int] = {}
        data, start, end = self.revoked_entries, 0, len(self.revoked_entries)
        while start < end:
            content, stop = der.header(data, start, end)
            first, last = der.header(data, content, stop)
            found.setdefault(
                int.from_bytes(data[first:last], "big", signed=True), start
            )
            start = stop
        return found


def parse(data: bytes) -> RevocationList:
    """Return the list of its DER.

    Raises:
        ParseError: The bytes are not a revocation list.
    """
    try:
        tbs, algorithm, signature = der.parse(data).expect(der.SEQUENCE).children()
        version, *fields = tbs.expect(der.SEQUENCE).children()
        if version.tag == der.INTEGER:
            fields.pop(0)
        issuer, this_update, *rest = fields
    except (ValueError, IndexError):
        raise ParseError("revocation list: fields are missing") from None
    optional = {field.tag: field for field in rest}
    next_update = optional.get(der.UTC_TIME) or optional.get(der.GENERALIZED_TIME)
    entries, extensions = optional.get(der.SEQUENCE), optional.get(0xA0)
    return RevocationList(
        der=data,
        tbs=tbs.raw,
        issuer=issuer.expect(der.SEQUENCE).raw,
        this_update=der.read_time(this_update),
        next_update=der.read_time(next_update) if next_update else None,
        extensions=certexts.parse(extensions.content) if extensions else (),
        revoked_entries=entries.content if entries else b"",
        algorithm=algorithm.raw,
        signature=der.read_bit_string(signature),
    )


def build(
    signer: Signer,
    issuer: bytes,
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
    key_id: bytes | None,
    entries: Iterable[Entry] = (),
    number_first: bool = True,
) -> RevocationList:
    """Return a new list.

    Args:
        signer: Signs with the issuer's key.
        issuer: DER of the issuer's name.
        number: cRLNumber.
        this_update: Aware, whole seconds.
        next_update: Aware, whole seconds.
        key_id: The issuer's subjectKeyIdentifier; None leaves the AKI out.
        entries: What is revoked, in this order.
        number_first: Puppet Server's order of extensions; Ruby's CA and the CLI
            write the authority key identifier first.
    """
    extensions = [_number(number)]
    if key_id is not None:
        extensions.append(certexts.authority_key_id(key_id))
    if not number_first:
        extensions.reverse()
    encoded = b"".join(entry.encode() for entry in entries)
    return _seal(signer, issuer, this_update, next_update, encoded, extensions)


def extend(
    old: RevocationList,
    entries: Iterable[Entry],
    signer: Signer,
    *,
    this_update: datetime,
    next_update: datetime,
    number_first: bool = False,
) -> RevocationList:
    """Return the next list: the old entries as they are, then what is new.

    The number grows by one (a list without a number becomes 1), a missing authority
    key identifier is added, other extensions stay, in their order or, as Puppet
    Server writes them, behind the number.  A serial number that is listed already is
    not listed again.
    """
    wanted: dict[int, Entry] = {}
    for entry in entries:
        wanted.setdefault(entry.serial, entry)
    if len(wanted) > _FEW:
        listed = old.serials()
    else:
        listed = frozenset(serial for serial in wanted if old.revoked(serial))
    new = (entry.encode() for entry in wanted.values() if entry.serial not in listed)
    encoded = b"".join((old.revoked_entries, *new))
    return _succeed(old, encoded, signer, this_update, next_update, number_first)


def prune(
    old: RevocationList,
    drop: Collection[int],
    signer: Signer,
    *,
    this_update: datetime,
    next_update: datetime,
) -> RevocationList:
    """Return the next list without the serial numbers `drop`, and no serial twice."""
    kept = (entry for entry in old.entries() if entry.serial not in drop)
    encoded = b"".join(entry.encode() for entry in kept)
    return _succeed(old, encoded, signer, this_update, next_update)


def _succeed(
    old: RevocationList,
    entries: bytes,
    signer: Signer,
    this_update: datetime,
    next_update: datetime,
    number_first: bool = False,
) -> RevocationList:
    number = _number((old.number or 0) + 1)
    kept = [number if e.oid == oids.CRL_NUMBER else e for e in old.extensions]
    if number not in kept:
        kept.insert(0, number)
    if certexts.find(kept, oids.AUTHORITY_KEY_ID) is None:
        kept.append(certexts.authority_key_id(keys.key_id(signer.public_key)))
    if number_first:
        kept.sort(key=lambda each: each != number)
    return _seal(signer, old.issuer, this_update, next_update, entries, kept)


def _number(number: int) -> Extension:
    return Extension(oids.CRL_NUMBER, False, der.integer(number))


def _seal(
    signer: Signer,
    issuer: bytes,
    this_update: datetime,
    next_update: datetime,
    entries: bytes,
    extensions: Iterable[Extension],
) -> RevocationList:
    algorithm = keys.signature_algorithm(signer.public_key)
    tbs = der.sequence(
        der.integer(1),
        algorithm,
        issuer,
        der.time(this_update),
        der.time(next_update),
        der.sequence(entries) if entries else b"",
        der.explicit(0, der.sequence(*(each.encode() for each in extensions))),
    )
    return parse(der.sequence(tbs, algorithm, der.bit_string(signer.sign(tbs))))
