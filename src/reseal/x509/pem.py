"""PEM: text armour around DER.

Puppet's tools write 64 columns and nothing else; operators paste certificates with
OpenSSL's text in front of them.  Reading therefore looks for blocks and ignores
all between them, as Ruby and Java do; writing is as Puppet's.

Sources: RFC 7468 sections 2 and 3; Puppet, `x509/pem_store.rb`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from reseal.errors import ParseError

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL
)
_BEGIN = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)
_HEADER = re.compile(rb"[A-Za-z0-9-]+:")


@dataclass(frozen=True, slots=True)
class Block:
    """One object of a PEM file.

    Attributes:
        label: What stands after BEGIN, as `CERTIFICATE`.
        der: The bytes inside.
    """

    label: str
    der: bytes


def encode(label: str, der: bytes) -> bytes:
    """Return `der` as PEM: 64 columns, ends in a newline."""
    text = base64.b64encode(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return b"\n".join((begin.encode(), *lines, end.encode(), b""))


def decode(data: bytes) -> tuple[Block, ...]:
    """Return every block of `data`, in order; text around blocks is ignored.

    Raises:
        ParseError: A block has no end, or holds what is not base64.
    """
    found = tuple(_block(match[1], match[2]) for match in _BLOCK.finditer(data))
    begun = len(_BEGIN.findall(data))
    if begun > len(found):
        raise ParseError(f"PEM: {begun - len(found)} block(s) without an end")
    return found


def _block(label: bytes, body: bytes) -> Block:
    name = label.decode("ascii")
    if _HEADER.match(body):
        raise ParseError(f"PEM: {name} is encrypted or has headers")
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise ParseError(f"PEM: {name} is not base64") from None
    return Block(name, der)
