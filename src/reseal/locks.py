"""Locks that hold between processes and threads, and that no crash leaves behind.

Guarantee: one holder at a time; the kernel lets go when it dies; a lock file that
somebody planted is never followed.

Sources: flock(2), which Puppet 5.5's CA takes on `serial` too; Puppet Server's
`crl-lock-timeout-seconds`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from reseal import files
from reseal.errors import StoreError, StoreLocked

LOCK = ".reseal.lock"
"""Name of the lock file of a directory."""

LOCK_TIMEOUT = 60.0
"""Seconds to wait for a lock: as Puppet Server's `crl-lock-timeout-seconds`."""


@contextlib.contextmanager
def locked(
    directory: files.StrPath, *, timeout: float = LOCK_TIMEOUT, name: str = LOCK
) -> Iterator[None]:
    """Hold a directory against every other process and thread that asks for it.

    Not re-entrant.  The kernel lets go when the holder dies, so no lock is stale.

    Args:
        directory: Where the lock file lies; made if it is missing.
        timeout: Seconds to wait.
        name: Of the lock file; different names are different locks.

    Raises:
        StoreLocked: Somebody else held it all the time.
        StoreError: The lock file cannot be made.
    """
    path = os.path.join(directory, name)
    handle = _open_lock(path)
    try:
        if not wait_for(handle, timeout):
            raise StoreLocked(
                f"{directory}: another process has held the lock for {timeout:g} s",
                hint=f"find it with: fuser {path}",
            )
        yield
    finally:
        os.close(handle)


def wait_for(handle: int, timeout: float) -> bool:
    """Take an exclusive flock on an open file; False when it stays another's."""
    end, pause = time.monotonic() + timeout, 0.0002
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.001)
        else:
            return True


def _open_lock(path: str) -> int:
    """Open the lock file, but no link: root would give away what it leads to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o640)
        status, owner = os.fstat(handle), files.owner_for(os.path.dirname(path))
        plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        if plain and os.geteuid() == 0 and status.st_uid != owner[0]:
            files.protect(handle, 0o640, owner)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise files.failed(path, error) from error
    else:
        if plain:
            return handle
        os.close(handle)
    hint = "somebody may have planted it: look where it leads, then remove it"
    raise StoreError(f"{path}: is no plain file of its own", hint=hint)
