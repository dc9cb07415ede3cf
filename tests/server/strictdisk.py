"""A disk that forgets everything that was not synced, as a power cut may.

While it watches, a file's content is on the disk as of its last fsync, and a name in a
directory as of the directory's.  Nothing else survives: no rename, no byte.

Sources: POSIX fsync; "All File Systems Are Not Created Equal" (OSDI 2014), 2.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class StrictDisk:
    """What of a directory is on the disk."""

    def __init__(self, root: Path) -> None:
        """Watch a directory, all of which is on the disk already."""
        self.syncs = 0
        self._held: list[int] = []
        self._content: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._root = root.stat().st_ino
        for path in (root, *root.rglob("*")):
            handle = os.open(path, os.O_RDONLY)
            self._keep(handle)
            os.close(handle)

    @contextmanager
    def watching(
        self, patch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Take note of every sync in a `with` block; `then` is called after each."""

        def sync(handle: int) -> None:
            self.syncs += 1
            self._keep(handle)
            then()

        with patch.context() as patched:
            patched.setattr(os, "fsync", sync)
            patched.setattr(os, "fdatasync", sync)
            yield

    def after_a_cut(self, to: Path) -> Path:
        """Write what is on the disk to a new directory."""
        self._write(self._root, to)
        return to

    def close(self) -> None:
        """Let go of the files."""
        for handle in self._held:
            os.close(handle)

    def _keep(self, handle: int) -> None:
        # Held open, so that no other file gets its number.
        self._held.append(os.dup(handle))
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(f"/proc/self/fd/{handle}") as entries:
                names = {entry.name: entry.inode() for entry in entries}
            self._names[found.st_ino] = names
        else:
            path = Path(f"/proc/self/fd/{handle}")
            self._content[found.st_ino] = path.read_bytes()

    def _write(self, directory: int, to: Path) -> None:
        to.mkdir()
        for name, inode in self._names[directory].items():
            if inode in self._names:
                self._write(inode, to / name)
            else:
                (to / name).write_bytes(self._content.get(inode, b""))
