"""One entry of a revocation list.

Sources: RFC 5280 sections 5.1.2.6 and 5.3.1; Puppet Server,
`certificate_authority.clj` (every entry says keyCompromise).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reseal.x509 import certexts, der, oids
from reseal.x509.certexts import Extension

KEY_COMPROMISE = 1


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


def entry_at(data: bytes, start: int) -> Entry:
    """Return the entry whose DER begins at a place of a list's entries."""
    content, stop = der.header(data, start, len(data))
    serial, date, *rest = der.elements(data[content:stop])
    extensions = certexts.parse(rest[0].raw) if rest else ()
    reason = certexts.find(extensions, oids.REASON_CODE)
    number = der.read_integer(der.parse(reason.value)) if reason else None
    return Entry(der.read_integer(serial), der.read_time(date), number)
