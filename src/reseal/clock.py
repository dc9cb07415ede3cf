"""The time, given and never taken.

Guarantee: outside this module nothing of reseal reads the system's clock.  Every
time is aware, UTC and of whole seconds, as certificates are (RFC 5280, 4.1.2.5).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time: aware, UTC, whole seconds."""

    def now(self) -> datetime:
        """Return the time now."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)
