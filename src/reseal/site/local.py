"""The way to the machine reseal runs on, or to a node in one of its directories.

Guarantee: a command that runs out of time is killed with everything it started in
its process group.

Sources: the door, `transport.py`; setsid(2), killpg(2).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from reseal.errors import Unreachable
from reseal.site.shell import ShellTransport, timed_out
from reseal.site.transport import Result


class LocalTransport(ShellTransport):
    """Runs commands on this machine, as root or through `sudo -n`.

    Those of a node with a home are run as who we are.
    """

    def __init__(
        self, name: str, home: str | None = None, *, command_timeout: float = 120
    ) -> None:
        super().__init__(name, command_timeout, home)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _execute(self, command: list[str], stdin: bytes, limit: float) -> Result:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(f"{self.name}: {command[0]}: {error.strerror}") from error
        try:
            async with asyncio.timeout(limit):
                stdout, stderr = await process.communicate(stdin)
        except TimeoutError:
            raise timed_out(self.name, limit) from None
        finally:
            await _end(process)
        code = process.returncode or 0
        return Result(code if code >= 0 else 128 - code, stdout, stderr)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of a command, whether time or the caller ended it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
