"""Revocation lists: build, extend, look up.

A site's list may have 100,000 entries and grows by one.  cryptography's builder
copies the list for each entry, so here the old entries' bytes are taken over in one
piece and only what is new is encoded.

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
from reseal.x509.crlentry import Entries, Entry
from reseal.x509.keys import PublicKey, Signer

LABEL = "X509 CRL"
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
        return self._listed.entry(serial)

    def serials(self) -> frozenset[int]:
        """Return every serial number on the list."""
        return self._listed.serials()

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry, in the list's order; a serial twice listed, once."""
        return self._listed.all()

    def __len__(self) -> int:
        return len(self._listed)

    def follow(self, old: RevocationList) -> None:
        """Take over what was asked of a list, if this one is that and a few entries."""
        self._listed.follow(old._listed)

    def is_signed_by(self, key: PublicKey) -> bool:
        """Say whether the signature was made with `key`; checked once for each key."""
        info, scheme = keys.public_info(key), signatures.scheme_of(self.algorithm)
        if info not in self._proofs:
            found = signatures.verify(key, scheme, self.signature, self.tbs)
            self._proofs[info] = found
        return self._proofs[info]

    @cached_property
    def _listed(self) -> Entries:
        return Entries(self.revoked_entries)

    @cached_property
    def _proofs(self) -> dict[bytes, bool]:
        return {}


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
    longer = _succeed(old, encoded, signer, this_update, next_update, number_first)
    longer.follow(old)
    return longer


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
    """Sign a list; what `parse` says of it, without a copy of each part."""
    algorithm, listed = keys.signature_algorithm(signer.public_key), tuple(extensions)
    tbs = der.sequence(
        der.integer(1),
        algorithm,
        issuer,
        der.time(this_update),
        der.time(next_update),
        der.head(der.SEQUENCE, len(entries)) if entries else b"",
        entries,
        der.explicit(0, der.sequence(*(each.encode() for each in listed))),
    )
    signature = signer.sign(tbs)
    return RevocationList(
        der=der.sequence(tbs, algorithm, der.bit_string(signature)),
        tbs=tbs,
        issuer=issuer,
        this_update=this_update.replace(microsecond=0),
        next_update=next_update.replace(microsecond=0),
        extensions=listed,
        revoked_entries=entries,
        algorithm=algorithm,
        signature=signature,
    )
