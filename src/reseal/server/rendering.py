"""An answer as it goes over the wire, and the line the access log keeps of it.

Pure functions.  Sources: Puppet Server (`X-Puppet-Version` on what its API answers;
Jetty's gzip handler: `Vary` names User-Agent too); the Common Log Format.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from reseal.errors import ParseError
from reseal.primary.protocol import MOUNT
from reseal.server.access import API
from reseal.server.paths import parse_target
from reseal.wire import TEXT, Request, Response

_MOUNTS = (API.rpartition("/")[0], MOUNT)
_PACKED = ("GET", "HEAD", "POST")
"""Methods whose answers are compressed."""
_WORTH_PACKING = 256
"""Bytes from which on an answer is compressed for who offers it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Headers and body as they are sent."""

    headers: dict[str, str]
    body: bytes


def render(request: Request, answer: Response, version: str) -> Rendered:
    """Return headers and body of an answer.

    Args:
        request: What was asked; its headers' names are in lower case.
        answer: Without compression.
        version: What `X-Puppet-Version` says.
    """
    headers, body = dict(answer.headers), answer.body
    if answer.media_type:
        headers["Content-Type"] = answer.media_type
    if _is_of_api(request.path):
        headers["X-Puppet-Version"] = version
    if answer.status == 429:
        headers["Retry-After"] = "60"
    if answer.status == 200 and request.method in _PACKED:
        if len(body) >= _WORTH_PACKING and _offers_gzip(request):
            body = _packed(body)
            headers["Content-Encoding"] = "gzip"
        varies = (headers.get("Vary"), "Accept-Encoding, User-Agent")
        headers["Vary"] = ", ".join(each for each in varies if each)
    return Rendered(headers, body)


def refused(status: int, text: str) -> Response:
    """Return an answer to what never reaches the API."""
    return Response(status, f"{TEXT};charset=utf-8", text.encode())


def _is_of_api(target: str) -> bool:
    """Say whether a target is one of the CA's API, or of the primary's."""
    try:
        path = parse_target(target).path
    except ParseError:
        return False
    return any(path == mount or path.startswith(f"{mount}/") for mount in _MOUNTS)


def access_line(
    request: Request,
    status: int,
    size: int,
    *,
    address: str,
    name: str,
    when: datetime,
    seconds: float,
) -> str:
    """Return a line of the common log format, with the milliseconds at its end.

    Args:
        request: What was asked.
        status: What was answered.
        size: Bytes of the body that was sent.
        address: Where the request came from.
        name: The caller's certname; empty for none.
        when: The time now, aware.
        seconds: How long the answer took.
    """
    path = _printable(request.path)
    return (
        f"{address} - {_printable(name) or '-'} [{when:%d/%b/%Y:%H:%M:%S %z}] "
        f'"{_printable(request.method)} {path} HTTP/1.1" {status} {size} '
        f"{seconds * 1000:.0f}"
    )


def _printable(text: str) -> str:
    """Return text that cannot end a field, or a line, of the log."""
    return "".join(
        c if c.isascii() and c.isprintable() and c not in '" ' else "?" for c in text
    )


def _offers_gzip(request: Request) -> bool:
    """Say whether gzip is among the codings a caller takes (RFC 9110 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()
