"""The entries of a revocation list.

Looking up a serial number that is not on the list, the common case, is one search for
its bytes; the next list, of one entry more, takes over what was found.

Sources: RFC 5280 sections 5.1.2.6 and 5.3.1; Puppet Server,
`certificate_authority.clj` (every entry says keyCompromise).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reseal.x509 import certexts, der, oids
from reseal.x509.certexts import Extension

KEY_COMPROMISE = 1

_ANSWERS = 4096  # Of a list that many ask about; then it begins anew.
_NEW = 4096  # Bytes of entries that are new, of which all answers are sought.


@dataclass(frozen=True, slots=True)
class Entry:
    """A revoked serial number.

    Attributes:
        serial: Of the certificate.
        revocation_date: Aware, UTC.
        reason: CRLReason of RFC 5280 5.3.1, or None.  Puppet writes 1 always.
    """

    serial: int
    revocation_date: datetime
    reason: int | None = KEY_COMPROMISE

    def encode(self) -> bytes:
        """Return the entry's DER."""
        parts = [der.integer(self.serial), der.time(self.revocation_date)]
        if self.reason is not None:
            value = der.integer(self.reason, tag=der.ENUMERATED)
            reason = Extension(oids.REASON_CODE, False, value)
            parts.append(der.sequence(reason.encode()))
        return der.sequence(*parts)


class Entries:
    """Entries as they were encoded, one after the other.

    Args:
        data: Their DER.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._answers: dict[int, Entry | None] = {}

    def entry(self, serial: int) -> Entry | None:
        """Return the entry of a serial number, or None without one."""
        if serial in (answers := self._answers):
            return answers[serial]
        if len(answers) >= _ANSWERS:
            self._answers = answers = {}
        answers[serial] = found = self._find(serial)
        return found

    def follow(self, old: Entries) -> None:
        """Take over what was asked of others, if these are those and a few more."""
        if not self._data.startswith(old._data):
            return
        new = self._data[len(old._data) :]
        if len(new) > _NEW:
            return
        for serial, found in old._answers.copy().items():
            if found is not None or der.integer(serial) not in new:
                self._answers[serial] = found

    def serials(self) -> frozenset[int]:
        """Return every serial number."""
        return frozenset(self._positions)

    def all(self) -> tuple[Entry, ...]:
        """Return every entry, in order; a serial twice listed, once."""
        found = self._positions.values()
        return tuple(_entry_at(self._data, start) for start in found)

    def __len__(self) -> int:
        return len(self._positions)

    def _find(self, serial: int) -> Entry | None:
        known = "_positions" in self.__dict__
        if not known and der.integer(serial) not in self._data:
            return None
        start = self._positions.get(serial)
        return None if start is None else _entry_at(self._data, start)

    @cached_property
    def _positions(self) -> dict[int, int]:
        """Where the first entry of each serial number begins."""
        found: dict[int, int] = {}
        data, start, end = self._data, 0, len(self._data)
        while start < end:
            content, stop = der.header(data, start, end)
            first, last = der.header(data, content, stop)
            found.setdefault(
                int.from_bytes(data[first:last], "big", signed=True), start
            )
            start = stop
        return found


def _entry_at(data: bytes, start: int) -> Entry:
    """Return the entry whose DER begins at a place of a list's entries."""
    content, stop = der.header(data, start, len(data))
    serial, date, *rest = der.elements(data[content:stop])
    extensions = certexts.parse(rest[0].raw) if rest else ()
    reason = certexts.find(extensions, oids.REASON_CODE)
    number = der.read_integer(der.parse(reason.value)) if reason else None
    return Entry(der.read_integer(serial), der.read_time(date), number)
