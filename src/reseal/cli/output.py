"""What a command says, and on which stream.

Results go to standard output, everything else to standard error.  `reseal cert` is
the exception: it says what `puppet cert` said where `puppet cert` said it, notices
on standard output.  Colours are for terminals only, unless they are asked for.

Sources: Puppet, `util/log/destinations.rb` and `util/colors.rb` (labels, colours,
streams of the console); style, habit 12 (`reseal: error:` and `reseal: hint:`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

from reseal.errors import FaultsError, ResealError

_RESET = "\x1b[0m"
_COLOURS = {
    "Info": "\x1b[0;32m",
    "Notice": "\x1b[m",
    "Warning": "\x1b[1;33m",
    "Error": "\x1b[1;31m",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """Says things in Puppet's words.

    Attributes:
        colour: Whether to; None leaves it to each stream being a terminal.
        verbose: Whether what is only informative is said.
        json: Results are one JSON document, and nothing else is said but errors.
    """

    colour: bool | None = None
    verbose: bool = False
    json: bool = False

    def plain(self, text: str) -> None:
        """Print a result."""
        if not self.json:
            print(shown(text))

    def notice(self, text: str) -> None:
        """Say what was done."""
        if not self.json:
            self._log("Notice", text, sys.stdout)

    def info(self, text: str) -> None:
        """Say what is being done, if details are wanted."""
        if self.verbose and not self.json:
            self._log("Info", text, sys.stdout)

    def warning(self, text: str) -> None:
        """Say what is not as somebody may expect it."""
        self._log("Warning", text, sys.stderr)

    def error(self, text: str) -> None:
        """Say what went wrong, as Puppet does."""
        self._log("Error", text, sys.stderr)

    def hint(self, text: str) -> None:
        """Say the way out of an error that Puppet does not have."""
        print(f"reseal: hint: {shown(text)}", file=sys.stderr)

    def _log(self, label: str, text: str, stream: IO[str]) -> None:
        colour = stream.isatty() if self.colour is None else self.colour
        begin, end = (_COLOURS[label], _RESET) if colour else ("", "")
        print(f"{begin}{label}: {shown(text)}{end}", file=stream, flush=True)


_UNSAFE = re.compile(r"[^\n\t -~]")
"""What need not print."""


def shown(text: str) -> str:
    """Return text that a node or a file said, safe for a terminal.

    What does not print, and so could move the cursor or rename the window, is
    replaced; lines and tabs stay.
    """
    return _UNSAFE.sub(lambda found: _safe(found[0]), text)


def _safe(character: str) -> str:
    return character if character.isprintable() else "\ufffd"


def print_json(document: object) -> None:
    """Print a result as one JSON document, for machines."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_error(error: ResealError) -> None:
    """Print an error and its hint to standard error, every fault in a line."""
    if isinstance(error, FaultsError) and len(error.faults) > 1:
        subject = str(error).removesuffix(": " + "; ".join(error.faults))
        print(shown(f"reseal: error: {subject}:"), file=sys.stderr)
        for fault in error.faults:
            print(shown(f"  {fault}"), file=sys.stderr)
    else:
        print(shown(f"reseal: error: {error}"), file=sys.stderr)
    if error.hint:
        print(shown(f"reseal: hint: {error.hint}"), file=sys.stderr)


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as lines whose columns are aligned, the last one ragged.

    A cell is one line of what prints, whatever it was.
    """
    found = [tuple(_cell(text) for text in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    padded = (
        [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        for row in found
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _cell(text: str) -> str:
    return shown(text).replace("\n", " ").replace("\t", " ")
