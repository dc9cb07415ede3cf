"""One thing that is proven or not, and what counts as a refusal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

REFUSALS = (
    *("OpenSSL::SSL::SSLError", "EOFError", "Errno::ECONNRESET", "Errno::EPIPE"),
    *("SSLError", "SSLEOFError", "SSLZeroReturnError"),
    *("ConnectionResetError", "BrokenPipeError"),
)
"""What Ruby and Python call it when the other side ends a TLS connection."""

BAD_CERTIFICATE = 400
"""What nginx answers after a handshake to a certificate that it does not take."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was proven, or was not.

    Attributes:
        node: Certname.
        name: What was looked at.
        ok: It is as it should be.
        note: What was seen.
    """

    node: str
    name: str
    ok: bool
    note: str


def refusal(
    node: str,
    name: str,
    seen: Mapping[str, Any],
    *,
    reached: bool,
    statuses: Collection[int] = (),
) -> Check:
    """Return the check that a probe was refused.

    Args:
        node: Certname.
        name: Of the check.
        seen: What the probe saw.
        reached: Whoever should refuse it took another a moment before: only then is
            an error a refusal.
        statuses: What is a refusal of a web server, which answered the other.
    """
    text = str(seen.get("error") or f"HTTP status {seen.get('status')}")
    refused = reached and "tried" in seen and text.startswith(REFUSALS)
    refused = refused or (reached and seen.get("status") in statuses)
    word = "refused" if refused else "not refused"
    return Check(node, name, refused, f"{word}: {text.rpartition('state=error: ')[2]}")
