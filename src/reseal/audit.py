"""One line of JSON for each deed that matters.

Guarantee: a line is written whole, with the time and the event first, or the deed's
caller gets an error; nothing is written unless somebody asked for it.  Fields are
names, numbers and fingerprints, never keys or passphrases; those of who wanted the
deed stand last.

Sources: style, habit 2 (a failed record stops the deed).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType

from reseal import files
from reseal.clock import Clock

Sink = Callable[[str], None]
"""Takes one line without its line feed; raises when it cannot keep it."""

_listeners: list[tuple[Sink, Clock]] = []
_who: ContextVar[Mapping[str, str]] = ContextVar("_who", default=MappingProxyType({}))


@contextmanager
def auditing(sink: Sink, clock: Clock) -> Iterator[None]:
    """Send the deeds done inside the `with` block to `sink` too."""
    listener = (sink, clock)
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def wanted_by(**who: str) -> Iterator[None]:
    """Add to each deed done inside the `with` block, in this thread, who wanted it.

    Args:
        who: Field to value; an empty value is left out.
    """
    token = _who.set({key: value for key, value in who.items() if value})
    try:
        yield
    finally:
        _who.reset(token)


def file_sink(path: Path) -> Sink:
    """Return a sink that appends to a file (mode 0640), durably."""

    def keep(line: str) -> None:
        files.append(path, line.encode() + b"\n", mode=0o640)

    return keep


def audit(event: str, **fields: str | int | bool | list[str] | None) -> None:
    """Tell that a deed was done.

    Args:
        event: Noun and past participle: `certificate.issued`.
        fields: What tells this deed from another: certname, serial, fingerprint.
    """
    for sink, clock in _listeners:
        time = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
        entry = {"time": time, "event": event, **fields, **_who.get()}
        sink(json.dumps(entry, ensure_ascii=False))
