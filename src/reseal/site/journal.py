"""What a run meant to do, began, did and undid: lines of JSON, only ever appended.

Guarantee: a line is on disk before the act it tells of begins; a line cut short by
a power cut is the last one and is passed over.  The journal is history and intent;
whether a step is done is asked of the node, never of the journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from reseal.clock import Clock

Event = Literal[
    "run",
    "resume",
    "rollback",
    "begun",
    "found done",
    "done",
    "failed",
    "undone",
    "end",
]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a journal.

    Attributes:
        at: Aware, UTC.
        event: What happened.
        step: The step's id; empty for what concerns the whole run.
        note: More about it, in words.
        seconds: How long it took; 0 where that has no meaning.
    """

    at: datetime
    event: Event
    step: str
    note: str
    seconds: float


class Journal:
    """The journal of one run, opened for appending."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sync_directory(path.parent)
        self._lines = list(read_journal(path))
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            os.write(self._file, b"\n")

    def write(
        self, event: Event, step: str = "", note: str = "", seconds: float = 0.0
    ) -> Line:
        """Append a line and wait until it is on disk."""
        line = Line(self._clock.now(), event, step, note, round(seconds, 1))
        text = json.dumps(
            {"at": line.at.isoformat(), "event": event}
            | {
                key: value
                for key, value in (
                    ("step", step),
                    ("note", note),
                    ("seconds", line.seconds),
                )
                if value
            }
        )
        os.write(self._file, text.encode() + b"\n")
        os.fsync(self._file)
        self._lines.append(line)
        return line

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line so far."""
        return tuple(self._lines)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def sync_directory(path: Path) -> None:
    """Wait until what a directory lists is on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_journal(path: Path) -> Iterator[Line]:
    """Yield the lines of a journal, in order; none where there is no journal yet."""
    if not path.exists():
        return
    for text in path.read_bytes().splitlines():
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        yield Line(
            at=datetime.fromisoformat(entry["at"]),
            event=entry["event"],
            step=entry.get("step", ""),
            note=entry.get("note", ""),
            seconds=entry.get("seconds", 0.0),
        )
