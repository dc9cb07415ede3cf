"""The machine an agent runs on: its programs and files, as far as it looks at them.

A test puts a host of recorded answers in its place.

Sources: Puppet, `util/execution.rb` (output and errors together, no input).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reseal.errors import ResealError

PATH = (
    "/opt/puppetlabs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)
LONGEST = 300.0
"""Seconds that a program may take where nothing else is said."""


class ProgramFailed(ResealError):
    """A program ended with a status that says failure, or did not end."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a program did.

    Attributes:
        status: Its exit status; negative for a signal.
        output: What it printed, on both streams.
    """

    status: int
    output: str


class Host(Protocol):
    """The machine."""

    platform: str
    """As `sys.platform`."""

    def run(self, argv: Sequence[str], *, timeout: float = LONGEST) -> Done:
        """Run a program without input; ProgramFailed if there is none, or no end."""

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None without it."""

    def names(self, directory: str) -> list[str]:
        """Return what is in a directory, sorted; nothing without it."""

    def is_program(self, path: str) -> bool:
        """Say whether a path is a file that can be run."""


class ThisHost:
    """The machine we run on."""

    platform = sys.platform

    def run(self, argv: Sequence[str], *, timeout: float = LONGEST) -> Done:
        return run_program(argv, timeout=timeout)

    def read(self, path: str) -> str | None:
        try:
            return Path(path).read_text("utf-8", "replace")
        except OSError:
            return None

    def names(self, directory: str) -> list[str]:
        try:
            return sorted(os.listdir(directory))  # noqa: PTH208 - names are wanted
        except OSError:
            return []

    def is_program(self, path: str) -> bool:
        return Path(path).is_file() and os.access(path, os.X_OK)


def run_program(
    argv: Sequence[str],
    *,
    timeout: float,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
    user: str | None = None,
    group: str | None = None,
) -> Done:
    """Run a program in a session of its own, so that its children end with it.

    Raises:
        ProgramFailed: There is no such program, or it took too long.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env={"PATH": PATH, **_kept(), **(env or {})},
            umask=umask,
            user=user,
            group=group,
        )
    except (OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProgramFailed(f"Could not execute {argv[0]}: {reason}") from None
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        text = f"{' '.join(argv)}: took longer than {timeout:g} seconds"
        raise ProgramFailed(text) from None
    return Done(process.returncode, output.decode("utf-8", "replace"))


def _kept() -> dict[str, str]:
    """Return what of our environment programs get: no secrets of whoever started us."""
    kept = ("PATH", "HOME", "USER", "LOGNAME", "TZ", "SYSTEMROOT", "TERM")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


def checked(host: Host, argv: Sequence[str]) -> str:
    """Return what a program prints.

    Raises:
        ProgramFailed: In Puppet's words, if its status is not 0.
    """
    done = host.run(argv)
    if done.status != 0:
        said = f"Execution of '{' '.join(argv)}' returned {done.status}: {done.output}"
        raise ProgramFailed(said.rstrip())
    return done.output
