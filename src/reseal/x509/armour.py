"""Base64 in lines of 64 columns, of which those seen before are taken over.

A revocation list of 100,000 entries is 5 MB of text, and the next one is the same but
for its first and its last lines.  The last large text is kept, with its bytes; what
the next one shares with it is neither encoded nor decoded again.

Guarantee: what is returned does not depend on what was seen before.

Sources: RFC 4648 section 4; RFC 7468 section 2.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

_BYTES, _COLUMNS = 48, 65
"""Bytes of a line, and what it takes as text, with its line feed."""

_LARGE = 1 << 16
"""Bytes from which on it is worth looking for what is known."""

_PROBE, _HEAD = 64, 64
"""Lines that must be the same for a beginning, and how many to look for it."""

_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A large text in whole lines, and what it says."""

    text: bytes
    data: bytes


_seen = _Seen(b"", b"")


def encode(data: bytes) -> bytes:
    """Return bytes as base64 in lines, each with its line feed."""
    if len(data) < _LARGE:
        return _encode(data)
    seen = _seen
    first, last = _shared(data, seen.data, _BYTES)
    known = seen.text[first * _COLUMNS : last * _COLUMNS]
    head, tail = data[: first * _BYTES], data[last * _BYTES :]
    text = b"".join((_encode(head), known, _encode(tail)))
    _remember(text, data)
    return text


def decode(text: bytes) -> bytes:
    """Return what base64 says, in lines of whatever length.

    Raises:
        binascii.Error: It is not base64.
    """
    if len(text) < _LARGE:
        return _decode(text)
    data = _decode_like(text, _seen)
    if data is None:
        data = _decode(text)
    _remember(text, data)
    return data


def _encode(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((*lines, b""))


def _decode(text: bytes) -> bytes:
    return binascii.a2b_base64(text.translate(None, _SPACE), strict_mode=True)


def _decode_like(text: bytes, seen: _Seen) -> bytes | None:
    """Decode what is not known; None where the whole is to be looked at."""
    first, last = _shared(text, seen.text, _COLUMNS)
    # What is padded is no line in the middle.
    last = min(last, len(seen.data) // _BYTES)
    if first >= last:
        return None
    head, tail = text[: first * _COLUMNS], text[last * _COLUMNS :]
    try:
        before, after = _decode(head), _decode(tail)
    except binascii.Error:
        return None
    if b"=" in head or len(before) != first * _BYTES:
        return None  # Here the known lines say something else, or nothing at all.
    return b"".join((before, seen.data[first * _BYTES : last * _BYTES], after))


def _shared(new: bytes, old: bytes, width: int) -> tuple[int, int]:
    """Return the first of the lines that two have in common, and the one behind them.

    Lines of `width` bytes, in the same places of both; 0 and 0 if there are none.
    """
    whole = min(len(new), len(old)) // width
    for first in range(min(_HEAD, whole - _PROBE)):
        probe = slice(first * width, (first + _PROBE) * width)
        if new[probe] == old[probe]:
            break
    else:
        return 0, 0
    low, high = first + _PROBE, whole
    while low < high:
        middle = (low + high + 1) // 2
        part = slice(low * width, middle * width)
        if new[part] == old[part]:
            low = middle
        else:
            high = middle - 1
    return first, low


def _remember(text: bytes, data: bytes) -> None:
    """Keep a text, if it is in lines as `encode` makes them."""
    global _seen
    lines = -(-len(data) // _BYTES)
    # Of this length it has as much white space as lines: here is where.
    apart = not text[_COLUMNS - 1 :: _COLUMNS].strip(b"\n") and text.endswith(b"\n")
    if apart and len(text) == 4 * -(-len(data) // 3) + lines:
        _seen = _Seen(text, data)
