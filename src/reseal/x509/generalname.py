"""One name of a subjectAltName: its DER, and the text that Puppet and OpenSSL have.

Sources: RFC 5280 section 4.2.1.6 (GeneralName).
"""

from __future__ import annotations

import ipaddress

from reseal.x509 import der

DIRECTORY_NAME = 4
"""Tag of the one kind that holds a whole name."""

_IP_ADDRESS = 7
_TAGS = {1: "email", 2: "DNS", 6: "URI"}
_KINDS = {kind: tag for tag, kind in _TAGS.items()}


def encode(text: str) -> bytes:
    """Return the DER of `DNS:x`, `IP:y`, `email:z` or `URI:u`.

    Raises:
        ValueError: It is of another form.
    """
    kind, _, value = text.partition(":")
    if kind == "IP":
        return der.tlv(0x80 | _IP_ADDRESS, ipaddress.ip_address(value).packed)
    if not value or kind not in _KINDS:
        raise ValueError(text)
    return der.tlv(0x80 | _KINDS[kind], value.encode("ascii"))


def show(name: bytes) -> str:
    """Return the text of a name's DER; `type N:` and hexadecimal for other kinds."""
    element = der.parse(name)
    number = element.tag & 0x1F
    if number in _TAGS:
        return f"{_TAGS[number]}:{element.content.decode('utf-8', 'replace')}"
    if number == _IP_ADDRESS and len(element.content) in (4, 16):
        return f"IP:{ipaddress.ip_address(element.content)}"
    return f"type {number}:{element.content.hex()}"
