"""The files `serial`, `inventory.txt` and `infra_serials`, byte for byte.

Guarantee: what is written here, Puppet Server 2 to 8 and Puppet's Ruby CA read and
could have written; what they write is read, their slips with case, padding and line
ends included.

Sources: Puppet, `ssl/inventory.rb` and `ssl/certificate_authority.rb`; Puppet
Server, `certificate_authority.clj` (`format-serial-number`,
`write-cert-to-inventory!`); golden files in `tests/data/cadir/`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal

from reseal.errors import StoreCorrupt
from reseal.store.protocol import HIGHEST_SERIAL, RANDOM_BITS, InventoryRow

HexCase = Literal["upper", "lower"]
"""How inventory.txt has hexadecimal: Puppet Server upper, the Ruby CA lower."""

Serials = Literal["sequential", "random"]
"""How serial numbers are chosen: as Puppet counts, or so that nobody guesses them."""

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_ROW = re.compile(rf"(?:0[xX])?([0-9A-Fa-f]+) ({_TIME})UTC ({_TIME})UTC (/.*)")


def render_serial(serial: int) -> bytes:
    """Return the content of `serial`: at least 4 digits, upper case, no line end."""
    return f"{serial:04X}".encode()


def parse_serial(data: bytes, where: str) -> int:
    """Return the number in a `serial` file.

    Raises:
        StoreCorrupt: It is none, or one that Puppet Server cannot read.
    """
    text = data.strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]+", text) or int(text, 16) == 0:
        raise StoreCorrupt(
            f"{where}: not a serial number: {data[:40]!r}",
            hint="reseal ca check --repair finds the next one from the inventory",
        )
    if (serial := int(text, 16)) > HIGHEST_SERIAL + 1:
        raise StoreCorrupt(f"{where}: {serial:X} is over the limit of 31 bits")
    return serial


def random_serial() -> int:
    """Return a positive number of at most 16 octets that will not come again.

    Its highest bit is set, so that it is never mistaken for one that was counted.
    RFC 5280 4.1.2.2 allows 20 octets; CA/Browser Forum BR 7.1 wants 64 random bits.
    """
    return 1 << (RANDOM_BITS - 1) | secrets.randbits(RANDOM_BITS - 1)


def parse_inventory(data: bytes, where: str) -> Iterator[InventoryRow]:
    """Yield the rows of an inventory; lines of white space are passed over.

    Raises:
        StoreCorrupt: At the first line that is no row; it names the line.
    """
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        row = parse_row(line)
        if row is None:
            hint = "see all of them with: reseal ca check"
            raise StoreCorrupt(
                f"{where}: line {number}: not a row: {line!r}", hint=hint
            )
        yield row


def find_rows(data: bytes, certname: str) -> bytes:
    """Return the lines of an inventory that are about a name, and nothing else.

    One search for the name's bytes, for inventories of 100,000 lines.
    """
    wanted, found, start = f" /CN={certname}".encode(), [], 0
    while (at := data.find(wanted, start)) >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        start = len(data) if end < 0 else end + 1
        if not data[at + len(wanted) : start].strip():
            found.append(data[begin:start])
    return b"".join(found)


def parse_row(line: str) -> InventoryRow | None:
    """Return the row a line says, or None if it says none."""
    found = _ROW.fullmatch(line.rstrip())
    if found is None:
        return None
    try:
        begin, end = (datetime.fromisoformat(found[n]) for n in (2, 3))
    except ValueError:
        return None
    utc = (begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    return InventoryRow(int(found[1], 16), *utc, found[4])


def render_infra_serials(serials: Iterable[int]) -> bytes:
    """Return the content of `infra_serials`: decimal, sorted, one a line."""
    return b"".join(b"%d\n" % serial for serial in sorted(set(serials)))


def parse_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines of a list such as `infra_inventory.txt` that are not blank."""
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    return tuple(line for line in lines if line)
