"""What a running server says, in Puppet's words.

Notices and deeds go to standard output, warnings and errors to standard error.

Sources: Puppet, `util/log/destinations.rb` (labels of the console).
"""

from __future__ import annotations

import logging
import sys

from reseal.cli.output import Screen, shown

_LABELS = {
    logging.DEBUG: "Debug",
    logging.INFO: "Info",
    logging.WARNING: "Warning",
    logging.ERROR: "Error",
    logging.CRITICAL: "Error",
}


class _Labelled(logging.Formatter):
    """Puts Puppet's label before a line, and keeps what a node sent printable."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_LABELS[record.levelno]}: {shown(super().format(record))}"


def set_up_log(*, verbose: bool, debug: bool) -> None:
    """Send the log of the server to standard error.

    Args:
        verbose: Also what is informative.
        debug: Everything.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Labelled("%(message)s"))
    found = logging.getLogger("reseal")
    found.handlers[:] = [handler]
    found.setLevel(
        logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    )


def warn(text: str) -> None:
    """Say what is not as somebody may expect it."""
    logging.getLogger("reseal.server").warning("%s", text)


def inform(text: str) -> None:
    """Say what is only informative."""
    logging.getLogger("reseal.server").info("%s", text)


def notice(text: str) -> None:
    """Say what is done."""
    Screen().notice(text)


def say_deed(line: str) -> None:
    """Print a line of the audit log; the sink of a server that has no file for it."""
    print(line, flush=True)
