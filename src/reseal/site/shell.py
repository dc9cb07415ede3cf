"""How a script becomes a command line that runs as root and ends in time.

Guarantee: a command that has run out of time ends on the node too, where there is
a `timeout` command, even if the way to the node has broken meanwhile.  A signal
sent over SSH would not do: sshd before 9 ignores it for root, and it may not kill
what sudo started.

Sources: sudo(8) (`-n`: fail rather than ask); timeout(1) of GNU coreutils (ends
the command's process group; exit status 137 after a kill).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil
from shlex import quote
from time import monotonic

from reseal.errors import AccessDenied, TimedOut
from reseal.site.transport import Result

PROBE = r"""
PATH=$PATH:/usr/sbin:/sbin
id=$(id -u)
way=root
if [ "$id" != 0 ]; then
    way=$(sudo -n true 2>&1) && way=sudo || way="no: $way"
fi
timer=no
if command -v timeout >/dev/null 2>&1 && timeout 5 true 2>/dev/null; then
    timer=timeout
fi
printf 'reseal %s\n%s\n' "$timer" "$way"
"""
"""Tells how to become root, and whether the node can end commands by itself."""

_GRACE = 5
"""Seconds we wait longer than the node, which ends a command more thoroughly."""

_KILLED = 128 + 9

_PATH = """node_home={}
PATH=${{node_home:+$node_home/bin:}}$PATH:/usr/sbin:/usr/local/sbin:/sbin
export PATH
unset CDPATH
"""
"""What every script begins with; it knows its node's home, if that has one."""


@dataclass(frozen=True, slots=True)
class Shell:
    """How commands are run on one node.

    Attributes:
        sudo: `sudo -n` makes us root.
        timer: The node has a `timeout` command.
        home: The directory where all of the node lies; None if it is a machine.
    """

    sudo: bool
    timer: bool
    home: str | None = None

    def command(self, script: str, args: tuple[str, ...], limit: float) -> list[str]:
        """Return the command line for a script that may take `limit` seconds."""
        become = ["sudo", "-n"] if self.sudo else []
        timer = ["timeout", "-s", "KILL", str(ceil(limit))]
        begin = _PATH.format(quote(self.home or ""))
        shell = ["sh", "-c", begin + script, "reseal", *args]
        return become + (timer if self.timer else []) + shell

    def patience(self, limit: float) -> float:
        """Return how many seconds to wait for a command's end."""
        return ceil(limit) + _GRACE if self.timer else limit

    def overdue(self, exit_status: int, seconds: float, limit: float) -> bool:
        """Tell whether the node ended a command because its time was over."""
        return self.timer and exit_status == _KILLED and seconds >= limit


def timed_out(name: str, limit: float) -> TimedOut:
    """Return the error for a command that took longer than `limit` seconds."""
    hint = "a longer limit can be set with command_timeout in [ssh]"
    return TimedOut(f"{name}: a command took over {limit:g} s", hint=hint)


def shell_of(name: str, probe: Result, home: str | None = None) -> Shell:
    """Read what `PROBE` printed; nobody has to be root where a node has a home.

    Raises:
        AccessDenied: There is no shell for us, one that adds text of its own to what
            commands print, or we are not root and cannot become it.
    """
    answer = probe.stdout.decode(errors="replace")
    noise, found, rest = answer.partition("reseal ")
    if noise or not found:
        raise _no_shell(name, probe, noise if found else "")
    timer, _, way = rest.strip().partition("\n")
    if home is not None:
        return Shell(sudo=False, timer=timer == "timeout", home=home)
    if way in ("root", "sudo"):
        return Shell(sudo=way == "sudo", timer=timer == "timeout")
    why = way.removeprefix("no: ").strip().splitlines()
    raise AccessDenied(
        f"{name}: cannot become root: {why[-1] if why else 'no answer'}",
        hint="log in as root, or allow the user `sudo -n` without a password",
    )


def _no_shell(name: str, probe: Result, noise: str) -> AccessDenied:
    if noise:
        return AccessDenied(
            f"{name}: the login shell prints text of its own: {noise.strip()[:60]!r}",
            hint="let .bashrc and the like print in interactive shells only",
        )
    said = probe.stderr.decode(errors="replace").strip()[-200:]
    return AccessDenied(
        f"{name}: no POSIX shell answers: {said or 'it said nothing'}",
        hint="the user needs a login shell, and the node `sh`",
    )


class ShellTransport(ABC):
    """What local and remote transports share: root, time limits, one question first.

    Attributes:
        name: The node's name in the roster.
    """

    def __init__(self, name: str, limit: float, home: str | None = None) -> None:
        self.name = name
        self._limit = limit
        self._home = home
        self._shell: Shell | None = None
        self._asking = asyncio.Lock()

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        """Run a script as root; see `Transport.run`."""
        limit = self._limit if timeout is None else timeout
        shell = await self._ready()
        command, begun = shell.command(script, args, limit), monotonic()
        try:
            result = await self._execute(command, stdin, shell.patience(limit))
        except TimedOut:
            raise timed_out(self.name, limit) from None
        if shell.overdue(result.exit, monotonic() - begun, limit):
            raise timed_out(self.name, limit)
        return result

    async def _ready(self) -> Shell:
        async with self._asking:
            if self._shell is None:
                probe = await self._execute(["sh", "-c", PROBE], b"", self._limit)
                self._shell = shell_of(self.name, probe, self._home)
            return self._shell

    @abstractmethod
    async def _execute(self, command: list[str], stdin: bytes, limit: float) -> Result:
        """Run a command line within `limit` seconds, or kill it and raise TimedOut."""
