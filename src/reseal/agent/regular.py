"""Files of a node, read as root where others may write.

Guarantee: a link is not followed, a pipe is not waited for, and what is said of a file
is true of the bytes that were read.

Sources: open(2) (`O_NOFOLLOW`, `O_NONBLOCK`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

ROOT = (0, 0)
"""Owner of what is the agent's alone; a process of another user changes no owner."""


def read_regular(path: Path) -> tuple[bytes, os.stat_result]:
    """Return what a regular file holds, and its status; OSError if it is none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file")
        return file.read(), status
