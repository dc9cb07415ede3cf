"""PEM: text armour around DER.

Puppet's tools write 64 columns and nothing else; operators paste certificates with
OpenSSL's text in front of them.  Reading therefore looks for blocks and ignores
all between them, as Ruby and Java do; writing is as Puppet's.

Sources: RFC 7468 sections 2 and 3; Puppet, `x509/pem_store.rb`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from reseal.errors import ParseError
from reseal.x509 import armour

_BEGIN = re.compile(rb"^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n", re.MULTILINE)
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
    begin, end = f"-----BEGIN {label}-----\n", f"-----END {label}-----\n"
    return b"".join((begin.encode(), armour.encode(der), end.encode()))


def decode(data: bytes) -> tuple[Block, ...]:
    """Return every block of `data`, in order; text around blocks is ignored.

    Raises:
        ParseError: A block has no end, or holds what is not base64.
    """
    return tuple(_blocks(data))


def _blocks(data: bytes) -> Iterator[Block]:
    position = 0
    while match := _BEGIN.search(data, position):
        end = b"-----END " + match[1] + b"-----"
        stop = data.find(end, match.end())
        if stop < 0:
            raise ParseError(f"PEM: {match[1].decode()} has no end")
        yield _block(match[1].decode(), data[match.end() : stop])
        position = stop + len(end)


def _block(label: str, body: bytes) -> Block:
    if _HEADER.match(body):
        raise ParseError(f"PEM: {label} is encrypted or has headers")
    try:
        der = armour.decode(body)
    except binascii.Error:
        raise ParseError(f"PEM: {label} is not base64") from None
    return Block(label, der)
