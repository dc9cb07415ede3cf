"""Directories of many files of one kind: their names, stamps and contents.

Fast with 100,000 files; a directory that is missing has none.

Sources: Puppet's settings `signeddir` and `requestdir`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reseal.files import Stamp, failed, opened


def names_in(directory: Path, suffix: str) -> list[str]:
    """Return the files of a directory that end in `suffix`, without it, sorted."""
    try:
        found = os.listdir(directory)  # noqa: PTH208 - names, and 100,000 of them
    except FileNotFoundError:
        return []
    except OSError as error:
        raise failed(directory, error) from error
    return sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix))


def stamps_in(directory: Path, suffix: str) -> Iterator[tuple[str, Stamp]]:
    """Yield name, without its suffix, and stamp of each file, in no order."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as found:
        for entry in found:
            name = entry.name
            if name.endswith(suffix):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                stamp = status.st_mtime_ns, status.st_ino, status.st_size
                yield name.removesuffix(suffix), stamp


def read_all(directory: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield name, without its suffix, and content of each file, sorted by name.

    Fast with 100,000 files.  One that goes away meanwhile is passed over.

    Raises:
        StoreError: One cannot be read.
    """
    if not directory.is_dir():
        return
    with opened(directory, os.O_RDONLY | os.O_DIRECTORY) as at:
        for name in names_in(directory, suffix):
            try:
                handle = os.open(name + suffix, os.O_RDONLY | os.O_CLOEXEC, dir_fd=at)
                with os.fdopen(handle, "rb") as file:
                    content = file.read()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise failed(directory / (name + suffix), error) from error
            yield name, content
