"""Files that say which process does something: Puppet's own kind of lock.

Guarantee: of two processes that try at once, one gets it; a file of a process that is
gone, or is another program's by now, does not hold anybody up.

Sources: Puppet 8, `util/pidlock.rb` (the pid alone; whose program it is counts).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from reseal.errors import ResealError, StoreError

_PROGRAMS = ("puppet", "ruby", "reseal", "python")


class Held(ResealError):
    """Another process does it."""


@contextlib.contextmanager
def pid_lock(path: Path, message: str) -> Iterator[None]:
    """Hold a pid file for a `with` block.

    Args:
        path: The file; its directory must exist.
        message: What is said if another process holds it.

    Raises:
        Held: Another process of Puppet's or ours holds it.
        StoreError: The file cannot be made.
    """
    while not _taken(path):
        holder = _holder(path)
        if holder is not None and _is_agent(holder):
            hint = f"process {holder} holds it; if that is no agent, remove {path}"
            raise Held(message, hint=hint)
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        if _holder(path) == os.getpid():
            path.unlink(missing_ok=True)


def _taken(path: Path) -> bool:
    """Make the file, with our pid in it from the first moment; False if it is there."""
    own = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(own, flags, 0o644)
        try:
            os.write(handle, str(os.getpid()).encode())
        finally:
            os.close(handle)
        os.link(own, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        own.unlink(missing_ok=True)
    return True


def _holder(path: Path) -> int | None:
    try:
        return int(path.read_text().strip() or "0") or None
    except (OSError, ValueError):
        return None


def _is_agent(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is somebody's, and there is no telling whose
    words = said.decode("utf-8", "replace").split("\0")[:3]
    return any(name in Path(word).name for word in words for name in _PROGRAMS)
