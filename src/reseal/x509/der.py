"""DER, as much of it as certificates, requests and revocation lists need.

cryptography parses what strict peers send and builds what it approves of.  A CA
for Puppet reads requests of version 2, writes names of more than 64 characters,
keeps an issuer's name byte for byte and extends a list of 100,000 entries without
touching them; all of that is a few dozen lines of tag, length and value.

Guarantee: what is written here is DER, and reading fails with `ParseError`, never
with an exception of Python's own.

Sources: X.690 sections 8 and 10; RFC 5280 section 4.1.2.5 (times).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from reseal.errors import ParseError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 1, 2, 3, 4, 5, 6
ENUMERATED, UTF8_STRING, PRINTABLE_STRING, T61_STRING = 10, 12, 19, 20
IA5_STRING, UTC_TIME, GENERALIZED_TIME = 22, 23, 24
VISIBLE_STRING, UNIVERSAL_STRING, BMP_STRING = 26, 28, 30
SEQUENCE, SET = 0x30, 0x31

LONGEST_OID = 64
"""Bytes; reading takes the square of them, and Python prints no endless number."""

_STRINGS = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "ascii",
    T61_STRING: "latin-1",
    IA5_STRING: "ascii",
    VISIBLE_STRING: "ascii",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}


_KEPT = 1024
"""How many object identifiers are kept in both forms; a CA meets a handful."""


class Element(NamedTuple):
    """One value as it was encoded.

    Attributes:
        tag: Its identifier byte (class, form and number below 31).
        content: The bytes of its value.
        raw: Tag, length and value.
    """

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> tuple[Element, ...]:
        """Return the values inside a constructed one."""
        return _split(self.content)

    def expect(self, tag: int) -> Element:
        """Return self, or raise `ParseError` if the tag is another."""
        if self.tag != tag:
            raise ParseError(f"DER: tag {self.tag:#04x} where {tag:#04x} belongs")
        return self


def header(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the value at `start` has its content, and where that ends."""
    if start + 2 > end:
        raise ParseError("DER: cut short")
    length, position = data[start + 1], start + 2
    if data[start] & 0x1F == 0x1F:
        raise ParseError("DER: tag number over 30")
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or position + count > end:
            raise ParseError("DER: length is indefinite or too long")
        length = int.from_bytes(data[position : position + count], "big")
        position += count
    if position + length > end:
        raise ParseError("DER: cut short")
    return position, position + length


def elements(data: bytes) -> Iterator[Element]:
    """Yield the values that `data` is made of, one after the other."""
    start, end = 0, len(data)
    while start < end:
        position, stop = header(data, start, end)
        yield Element(data[start], data[position:stop], data[start:stop])
        start = stop


def _split(data: bytes) -> tuple[Element, ...]:
    """Return what `elements` yields, in half the time: a CA reads 150 a certificate."""
    found, start, end = [], 0, len(data)
    while start < end:
        position, stop = header(data, start, end)
        parts = data[start], data[position:stop], data[start:stop]
        found.append(tuple.__new__(Element, parts))
        start = stop
    return tuple(found)


def parse(data: bytes) -> Element:
    """Return the one value that `data` is."""
    found = _split(data)
    if len(found) != 1:
        raise ParseError(f"DER: {len(found)} values where one belongs")
    return found[0]


def read_integer(element: Element) -> int:
    """Return an INTEGER or ENUMERATED."""
    if element.tag != ENUMERATED:
        element.expect(INTEGER)
    if not element.content:
        raise ParseError("DER: integer without a byte")
    return int.from_bytes(element.content, "big", signed=True)


def read_boolean(element: Element) -> bool:
    """Return a BOOLEAN; any byte but zero is true, as BER has it."""
    return element.expect(BOOLEAN).content != b"\x00"


def read_oid(element: Element) -> str:
    """Return an OBJECT IDENTIFIER, or one with an implicit tag, dotted."""
    if len(element.content) > LONGEST_OID:
        raise ParseError("DER: object identifier too long")
    return _dotted(element.content)


@lru_cache(maxsize=_KEPT)
def _dotted(content: bytes) -> str:
    values, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            values.append(value)
            value = 0
    if not values or content[-1] & 0x80:
        raise ParseError("DER: object identifier cut short")
    first = min(values[0] // 40, 2)
    return ".".join(map(str, (first, values[0] - 40 * first, *values[1:])))


def read_bit_string(element: Element) -> bytes:
    """Return the bytes of a BIT STRING that is made of whole bytes."""
    content = element.expect(BIT_STRING).content
    if not content or content[0] != 0:
        raise ParseError("DER: bit string is not made of whole bytes")
    return content[1:]


def is_string(element: Element) -> bool:
    """Say whether the value is of one of ASN.1's string types."""
    return element.tag in _STRINGS


def read_string(element: Element) -> str:
    """Return a string; bytes its type does not allow are read as UTF-8 or Latin-1.

    Ruby's Puppet puts UTF-8 into PrintableString attributes, so that strictness
    here would refuse real requests.
    """
    encoding = _STRINGS.get(element.tag)
    if encoding is None:
        raise ParseError(f"DER: tag {element.tag:#04x} is no string")
    for attempt in (encoding, "utf-8"):
        try:
            return element.content.decode(attempt)
        except UnicodeDecodeError:
            continue
    return element.content.decode("latin-1")


def read_time(element: Element) -> datetime:
    """Return a UTCTime or GeneralizedTime in UTC."""
    forms = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}
    try:
        text = element.content.decode("ascii")
        time = datetime.strptime(text, forms[element.tag]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        raise ParseError(f"DER: not a time: {element.content!r}") from None
    if element.tag == UTC_TIME and time.year >= 2050:
        return time.replace(year=time.year - 100)
    return time


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return a value of `contents`, put together, under `tag`."""
    return b"".join((head(tag, sum(map(len, contents))), *contents))


def head(tag: int, size: int) -> bytes:
    """Return what stands before a value's `size` bytes of content: tag and length."""
    if size < 0x80:
        return bytes((tag, size))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length


def sequence(*contents: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(SEQUENCE, *contents)


def set_of(contents: Iterable[bytes]) -> bytes:
    """Return a SET OF, sorted as DER asks."""
    return tlv(SET, *sorted(contents))


def explicit(number: int, content: bytes) -> bytes:
    """Return `content` under the context-specific tag `number`."""
    return tlv(0xA0 | number, content)


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return an INTEGER, or an ENUMERATED."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def boolean(value: bool) -> bytes:
    """Return a BOOLEAN."""
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


def null() -> bytes:
    """Return NULL."""
    return tlv(NULL)


@lru_cache(maxsize=_KEPT)
def oid(dotted: str, tag: int = OID) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    try:
        first, second, *rest = (int(part) for part in dotted.split("."))
    except ValueError:
        raise ParseError(f"{dotted!r}: not an object identifier") from None
    if not 0 <= first <= 2 or min(second, *rest, 0) < 0 or (first < 2 and second > 39):
        raise ParseError(f"{dotted!r}: not an object identifier")
    return tlv(tag, *(_base128(value) for value in (40 * first + second, *rest)))


def octet_string(content: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tlv(OCTET_STRING, content)


def bit_string(content: bytes, unused: int = 0) -> bytes:
    """Return a BIT STRING whose last byte has `unused` bits to spare."""
    return tlv(BIT_STRING, bytes((unused,)), content)


def utf8(text: str) -> bytes:
    """Return a UTF8String."""
    return tlv(UTF8_STRING, text.encode())


def time(moment: datetime) -> bytes:
    """Return a UTCTime until 2049 and a GeneralizedTime after it."""
    moment = moment.astimezone(UTC)
    if moment.year < 2050:
        return tlv(UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    return tlv(GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())


def _base128(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))
