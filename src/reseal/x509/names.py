"""Distinguished names, kept as the bytes they were written in.

A name that is decoded and encoded again may change its string types, and then a
peer that compares bytes no longer finds the issuer.  So reseal carries the DER of
a name and reads from it what it needs; common names may be of any length.

Sources: RFC 5280 sections 4.1.2.4 and 7.1 (comparison); RFC 4514 (text form);
OpenSSL, `X509_NAME_oneline` (escapes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from reseal.errors import ParseError
from reseal.x509 import der, oids

_SHORT = {
    oids.COMMON_NAME: "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a name.

    Attributes:
        oid: Its type, dotted.
        value: Its value as text.
    """

    oid: str
    value: str

    @property
    def short(self) -> str:
        """The type as OpenSSL abbreviates it, or the dotted OID."""
        return _SHORT.get(self.oid, self.oid)


def common_name(text: str) -> bytes:
    """Return the DER of a name of one common name, a UTF8String as Puppet's."""
    attribute = der.sequence(der.oid(oids.COMMON_NAME), der.utf8(text))
    return der.sequence(der.set_of([attribute]))


def parse(name: bytes) -> tuple[tuple[Attribute, ...], ...]:
    """Return the relative distinguished names of a name, each with its attributes.

    Raises:
        ParseError: The bytes are not a name.
    """
    relative = der.parse(name).expect(der.SEQUENCE).children()
    return tuple(
        tuple(_attribute(item) for item in each.expect(der.SET).children())
        for each in relative
    )


def read_common_name(name: bytes) -> str:
    """Return the first common name, or an empty string without one, as Puppet."""
    for relative in parse(name):
        for attribute in relative:
            if attribute.oid == oids.COMMON_NAME:
                return attribute.value
    return ""


def attributes(name: bytes) -> tuple[Attribute, ...]:
    """Return the attributes of a name, in order."""
    return tuple(a for relative in parse(name) for a in relative)


def slashes(name: bytes) -> str:
    """Return the name as Puppet's inventory has it, `/O=b/CN=a`, always one line."""
    return "".join(f"/{a.short}={_as_ascii(a.value)}" for a in attributes(name))


def commas(name: bytes) -> str:
    """Return the name as RFC 4514 has it, `CN=a,O=b`; only controls are escaped."""
    relative = (
        "+".join(f"{a.short}={_one_line(a.value)}" for a in r) for r in parse(name)
    )
    return ",".join(reversed(list(relative)))


def same(one: bytes, other: bytes) -> bool:
    """Say whether two names are the same name, whatever their string types."""
    return one == other or _normal(one) == _normal(other)


@lru_cache(maxsize=256)
def _normal(name: bytes) -> list[list[tuple[str, str]]]:
    return [
        sorted((a.oid, " ".join(a.value.split()).casefold()) for a in relative)
        for relative in parse(name)
    ]


def _attribute(element: der.Element) -> Attribute:
    children = element.expect(der.SEQUENCE).children()
    if len(children) != 2:
        raise ParseError("name: an attribute is a type and a value")
    return Attribute(der.read_oid(children[0].expect(der.OID)), _value(children[1]))


def _as_ascii(text: str) -> str:
    """Escape bytes beyond printable ASCII as OpenSSL's `X509_NAME_oneline` does."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02X}" for byte in text.encode()
    )


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else _as_ascii(c) for c in text)


def _value(element: der.Element) -> str:
    return der.read_string(element) if der.is_string(element) else element.raw.hex()
