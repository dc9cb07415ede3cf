"""The door to a node: run a command there; read, replace or remove a file.

Guarantee: a file is replaced whole, and its owner and mode are set while it is
still empty, so nobody reads a key who should not, not even for a moment.  Data
goes through standard input, never through arguments that `ps` shows.

Nothing is installed on a node.  What runs there is POSIX sh and coreutils.

Sources: POSIX.1-2017 Shell and Utilities; `mktemp`, `sync` and `mv -T` of GNU
coreutils, with what other systems have in their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reseal.errors import CommandFailed, NotFound

_NO_SUCH_FILE = 44
_TAIL = 400

_READ = f'[ -f "$1" ] || exit {_NO_SUCH_FILE}; exec cat -- "$1"'

_REPLACE = r"""
set -eu
umask 077
path=$1 mode=$2 owner=$3
while [ -L "$path" ]; do
    link=$(readlink -- "$path")
    case $link in /*) path=$link ;; *) path=$(dirname -- "$path")/$link ;; esac
done
[ ! -d "$path" ] || { echo "$path: is a directory" >&2; exit 1; }
new=$(mktemp "$(dirname -- "$path")/.reseal-XXXXXXXX")
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM
chown -- "$owner" "$new"
chmod -- "$mode" "$new"
cat >"$new"
[ "$(wc -c <"$new" | tr -d ' ')" = "$4" ] || { echo "input was cut short" >&2; exit 1; }
sync -- "$new" 2>/dev/null || sync
mv -f -- "$new" "$path"
trap - EXIT
sync -- "$(dirname -- "$path")" 2>/dev/null || sync
"""

_REMOVE = r"""
[ -e "$1" ] || [ -L "$1" ] || exit 0
rm -f -- "$1" || exit 1
sync -- "$(dirname -- "$1")" 2>/dev/null || sync
"""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended.

    Attributes:
        exit: Its exit status; 128 and more for one that a signal ended.
        stdout: What it printed.
        stderr: What it complained about.
    """

    exit: int
    stdout: bytes
    stderr: bytes


class Transport(Protocol):
    """The way to one node.

    Every method raises `TransportError` when the way breaks: `Unreachable`,
    `HostKeyRejected`, `AccessDenied` or `TimedOut`, with the node's name.  After
    `Unreachable` and `TimedOut` a command may have run in part or in whole.

    Attributes:
        name: The node's name in the roster.
    """

    @property
    def name(self) -> str: ...

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        """Run a POSIX shell script as root and wait for its end.

        Several may run at once.  An exit status that is not zero raises nothing.

        Args:
            script: What `sh -c` gets; never secrets.
            args: `$1` and on; never secrets.
            stdin: What it reads.
            timeout: Seconds until it is killed; None for the site's setting.
        """

    async def close(self) -> None:
        """Let go of the node; a later `run` connects anew."""


async def check(
    transport: Transport,
    script: str,
    *args: str,
    stdin: bytes = b"",
    timeout: float | None = None,
) -> bytes:
    """Run a script and return what it printed.

    Raises:
        CommandFailed: It did not end with exit status 0.
        TransportError: The node could not be reached.
    """
    result = await transport.run(script, *args, stdin=stdin, timeout=timeout)
    if result.exit != 0:
        raise failed(transport, result)
    return result.stdout


def failed(transport: Transport, result: Result) -> CommandFailed:
    """Return the error for a command that failed, with the end of its complaint."""
    text = (result.stderr.strip() or result.stdout.strip()).decode(errors="replace")
    tail = text if len(text) <= _TAIL else f"…{text[-_TAIL:]}"
    said = f": {tail}" if tail else " and said nothing"
    return CommandFailed(f"{transport.name}: exit status {result.exit}{said}")


async def read(transport: Transport, path: str) -> bytes:
    """Return a file's bytes.

    Raises:
        NotFound: There is no such file.
        CommandFailed: It cannot be read.
    """
    result = await transport.run(_READ, path)
    if result.exit == _NO_SUCH_FILE:
        raise NotFound(f"{transport.name}: {path}: no such file")
    if result.exit != 0:
        # What was read so far may be secret.
        raise failed(transport, Result(result.exit, b"", result.stderr))
    return result.stdout


async def exists(transport: Transport, path: str) -> bool:
    """Tell whether something is there, be it a link that leads nowhere."""
    answer = await check(
        transport, 'if [ -e "$1" ] || [ -L "$1" ]; then echo yes; fi', path
    )
    return answer == b"yes\n"


async def replace(
    transport: Transport, path: str, data: bytes, *, mode: int, owner: str
) -> None:
    """Put `data` in the place of a file, made or replaced as a whole.

    Links are followed.  On failure the old file stays as it was.

    Args:
        transport: The way to the node.
        path: The file; its directory must exist.
        data: The whole content.
        mode: Permission bits.
        owner: `user:group`.

    Raises:
        CommandFailed: The file could not be written.
    """
    args = (path, f"{mode:04o}", owner, str(len(data)))
    await check(transport, _REPLACE, *args, stdin=data)


async def remove(transport: Transport, path: str) -> None:
    """Remove a file for good; no error when there is none."""
    await check(transport, _REMOVE, path)
