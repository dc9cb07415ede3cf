"""From a request's target to the path that is judged.

Guarantee: what is judged is what is served.  The path is decoded and brought to one
form once; a path that climbs is refused, and Puppet 3's paths become today's.

Sources: ring-middleware of trapperkeeper (`wrap-normalized-uri`: drop what
follows a `;` in a segment, decode, no `.` or `..`, no `//`); Puppet Server 6,
`legacy_routes_core.clj` (Puppet 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qs, unquote_to_bytes

from reseal.errors import ParseError
from reseal.server.access import API

_OLD = re.compile(
    r"/\w+/(certificate|certificate_request|certificate_revocation_list|"
    r"certificate_status|certificate_statuses)/(.*)",
    re.DOTALL,
)
_LONGEST_QUERY = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about.

    Attributes:
        path: Decoded and in one form.
        query: Each parameter and its values.
    """

    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)


@lru_cache(maxsize=256)
def parse_target(target: str) -> Target:
    """Return what the target of a request line means.

    Raises:
        ParseError: It climbs, or its bytes are no text; the message is Puppet
            Server's.
    """
    raw, _, query = target.partition("?")
    try:
        decoded = unquote_to_bytes(re.sub(";[^/]*", "", raw)).decode()
    except UnicodeDecodeError:
        raise ParseError(f"Invalid path, not UTF-8: {raw}") from None
    if {".", ".."} & {part.partition(";")[0] for part in decoded.split("/")}:
        raise ParseError(f"Invalid relative path (.. or .) in: {decoded}")
    path = re.sub("/{2,}", "/", decoded)
    if not path.startswith("/"):
        raise ParseError(f"Invalid path, not absolute: {decoded}")
    old = None if path.startswith(f"{API}/") else _OLD.fullmatch(path)
    if old is not None:
        path = f"{API}/{old[1]}/{old[2]}"
    return Target(path, _parameters(query))


def _parameters(query: str) -> Mapping[str, Sequence[str]]:
    """Read what a query says; what is too long or odd says nothing."""
    try:
        return parse_qs(
            query[:_LONGEST_QUERY], keep_blank_values=True, max_num_fields=50
        )
    except ValueError:
        return {}
