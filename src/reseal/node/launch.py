"""Run a command in the background, in a session of its own; or end it.

A file holds its process id and when the process started, a line each: the kernel
gives the id to a stranger later.

Guarantee: nothing runs that its file does not name, and what still runs from an
earlier call is not run again.

Sources: `site/node/launch.rb`, which does the same; proc(5), `/proc/PID/stat`; ps(1).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reseal import files
from reseal.errors import NotFound

LIMIT = 30.0
"""Seconds a command has to end by itself."""

_PROC = Path("/proc")
_GATE = 'read -r go || exit 1; exec "$@" </dev/null'
"""Waits for a word before it becomes the command."""


def launch(log: Path, pid_file: Path, command: Sequence[str]) -> dict[str, object]:
    """Run a command unless it runs already; its process id, and whether it is new.

    Args:
        log: Where what it prints is added.
        pid_file: Where its process id is kept.
        command: Program and arguments.
    """
    pid = running(pid_file)
    if pid is not None:
        return {"pid": pid, "new": False}
    with open(log, "ab", opener=_private) as out:
        process = subprocess.Popen(
            ["sh", "-c", _GATE, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    text = f"{process.pid}\n{_started(process.pid)}\n"
    files.replace(pid_file, text.encode(), mode=0o600)
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as gate:
            gate.write(b"go\n")
    return {"pid": process.pid, "new": True}


def end(pid_file: Path) -> dict[str, object]:
    """End what an earlier call runs; its process id, and whether it was running."""
    pid = running(pid_file)
    if pid is not None:
        _end(pid_file, pid)
    files.remove(pid_file)
    return {"pid": pid or 0, "ended": pid is not None}


def running(pid_file: Path) -> int | None:
    """Return the process id of what an earlier call runs still; None without it."""
    try:
        pid, _, since = files.read(pid_file).decode().strip().partition("\n")
    except (NotFound, UnicodeDecodeError):
        return None
    alive = pid.isdecimal() and int(pid) > 0 and since and _started(int(pid)) == since
    return int(pid) if alive else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _end(pid_file: Path, pid: int) -> None:
    give_up = time.monotonic() + LIMIT
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while running(pid_file) is not None:
            if time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.1)


def _started(pid: int) -> str | None:
    """Return when a process started, as the system tells it; None when it has ended."""
    if not (_PROC / "self/stat").exists():
        words = ["ps", "-o", "lstart=", "-p", str(pid)]
        told = subprocess.run(
            words, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False
        )
        return told.stdout.decode().strip() or None
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Clock ticks from the boot on, as the 22nd field; a zombie has ended.
    state, *fields = text.rpartition(") ")[2].split()
    return None if state == "Z" else fields[18]
