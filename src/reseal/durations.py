"""Durations as Puppet writes them: `90d`, `1d 12h`, or a number of seconds.

Guarantee: what `parse` accepts, Puppet or Puppet Server accepts with the same
meaning; `parse(render(x)) == x` for whole seconds.

Sources: Puppet, `settings/duration_setting.rb` (a year is 365 days); Puppet Server,
`ca.conf` (several parts, summed).
"""

from __future__ import annotations

import re
from datetime import timedelta

from reseal.errors import ParseError

UNITS = {"y": 365 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
"""Seconds in each of Puppet's units."""

LONGEST = timedelta(seconds=1_576_800_000)
"""Puppet Server's limit for `ca_ttl`: 50 years of 365 days."""

_WHOLE = re.compile(r"\s*\d+\s*|(?:\s*\d+\s*[ydhms])+\s*", re.ASCII)
_PART = re.compile(r"(\d+)\s*([ydhms]?)", re.ASCII)


def parse(text: str) -> timedelta:
    """Return the duration that `text` says; ParseError names the forms allowed."""
    if not _WHOLE.fullmatch(text):
        raise ParseError(
            f"{text!r}: not a duration",
            hint="a duration is a number of seconds, or like 5y, 90d, 12h, 30m, 1d 12h",
        )
    parts = _PART.findall(text)
    seconds = sum(int(count) * UNITS[unit or "s"] for count, unit in parts)
    if seconds > LONGEST.total_seconds() * 20:
        raise ParseError(f"{text!r}: longer than a thousand years")
    return timedelta(seconds=seconds)


def render(duration: timedelta) -> str:
    """Return a duration of whole seconds in the largest unit that divides it."""
    seconds = int(duration.total_seconds())
    for unit, size in UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return "0s"
