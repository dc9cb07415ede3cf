"""The way to a node over SSH.

Guarantee: one connection to a node carries all its commands, several at once; one
that has dropped between two commands is made anew once, unseen.  A command that
was under way when it dropped is never repeated, for nobody knows what it has done.

Sources: the door, `transport.py`; RFC 4254, 6 (channels, signals, exit status);
sshd_config(5), `MaxSessions` (10).
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal

import asyncssh

from reseal.errors import AccessDenied, Unreachable
from reseal.site.shell import ShellTransport, timed_out
from reseal.site.sshdoor import SshDoor, Target
from reseal.site.transport import Result

_CHANNELS = 8
"""Commands at once on one connection; sshd's `MaxSessions` is 10."""

_GOODBYE = 2.0
"""Seconds to wait for a channel or connection to close in good order."""

Connection = asyncssh.SSHClientConnection
Process = asyncssh.SSHClientProcess[bytes]


class SshTransport(ShellTransport):
    """Runs commands on a node over one SSH connection."""

    def __init__(
        self, door: SshDoor, target: Target, *, command_timeout: float
    ) -> None:
        super().__init__(target.name, command_timeout)
        self._door = door
        self._target = target
        self._opening = asyncio.Lock()
        self._channels = asyncio.Semaphore(_CHANNELS)
        self._connection: Connection | None = None

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_GOODBYE):
                    await connection.wait_closed()

    async def _execute(self, command: list[str], stdin: bytes, limit: float) -> Result:
        process: Process | None = None
        async with self._channels:
            try:
                async with asyncio.timeout(limit):
                    process = await self._begin(command, stdin)
                    stdout, stderr = await _communicate(process, stdin)
            except TimeoutError:
                raise timed_out(self.name, limit) from None
            finally:
                await _end(process)
        return Result(_status(self.name, process), stdout, stderr)

    async def _begin(self, command: list[str], stdin: bytes) -> Process:
        """Start a command; once more on a new connection if the old one was dead."""
        line = shlex.join(command)
        for again in (True, False):
            connection = await self._connected()
            try:
                return await connection.create_process(
                    line,
                    stdin=asyncssh.PIPE if stdin else asyncssh.DEVNULL,
                    encoding=None,
                    request_pty=False,
                )
            except (
                asyncssh.ConnectionLost,
                asyncssh.ChannelOpenError,
                OSError,
            ) as error:
                if not (again and connection.is_closed()):
                    raise _refused(self.name, error) from error
        raise AssertionError("the second try returns or raises")

    async def _connected(self) -> Connection:
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._door.open(self._target)
            return self._connection


async def _communicate(process: Process, stdin: bytes) -> tuple[bytes, bytes]:
    """Give a command its input and wait for its end."""
    try:
        return await process.communicate(stdin)
    except BrokenPipeError:
        # It ended without reading all of its input; its exit status says enough.
        return await process.communicate()


def _status(name: str, process: Process) -> int:
    """Return the exit status as a shell has it; a broken connection has none."""
    if process.exit_signal is not None:
        number = getattr(signal, f"SIG{process.exit_signal[0]}", signal.SIGKILL)
        return 128 + int(number)
    if process.exit_status is not None:
        return process.exit_status
    raise Unreachable(
        f"{name}: the connection broke while a command ran",
        hint="the command may have been carried out; look before you repeat it",
    )


async def _end(process: Process | None) -> None:
    """Kill what still runs, whether time or the caller ended it."""
    if process is None or process.is_closing():
        return
    with contextlib.suppress(OSError, asyncssh.Error):
        process.kill()
    process.close()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_GOODBYE):
            await process.wait_closed()


def _refused(name: str, error: Exception) -> AccessDenied | Unreachable:
    if isinstance(error, asyncssh.ChannelOpenError):
        return AccessDenied(
            f"{name}: sshd runs no command for us: {error.reason}",
            hint="sshd_config: MaxSessions, ForceCommand",
        )
    return Unreachable(f"{name}: the connection broke: {error}")
