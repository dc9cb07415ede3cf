"""Put a backup back in place of what is there now, and prove it.

First all content is copied beside what it will replace (for a directory, inside it)
and compared with the backup's manifest; only then it is renamed into place and what
was there goes.

Guarantee: the backup itself is only read, so this can be killed anywhere and begun
again.

Sources: `site/node/restore.rb`, which does the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from reseal import files
from reseal.errors import StoreError
from reseal.node import tree


def staged_of(backup: Path) -> str:
    """Return the name under which content is staged; no backup of this run has it."""
    return f".reseal-restore-{backup.name}"


def restore(backup: Path, paths: Sequence[Path]) -> dict[str, object]:
    """Put back the paths a backup was made of; how many entries there are then.

    Raises:
        StoreError: There is no proven backup, or what is there in the end differs.
    """
    with tree.alone(backup):
        wanted = tree.decoded(files.read(backup / "manifest"))
        saved = {path: backup / "tree" / path.relative_to("/") for path in paths}
        kept = [path for path in paths if tree.there(saved[path])]
        name = staged_of(backup)
        fresh = {path: _stage(saved[path], path, name) for path in kept}
        staged = [line for path in kept for line in tree.manifest(fresh[path], path)]
        _compare(wanted, staged)
        os.sync()
        for path in kept:
            _put_back(saved[path], fresh[path], path)
        for path in paths:
            if path not in kept:
                tree.remove(path)
        os.sync()
        now = [path for path in paths if tree.there(path)]
        found = [line for path in now for line in tree.manifest(path, path)]
        _compare(wanted, found)
    return {"entries": len(found)}


def _stage(saved: Path, path: Path, name: str) -> Path:
    """Copy what was saved beside what it is to replace, on the same file system."""
    fresh = path / name
    if not _in_place(saved, path):
        fresh = path.with_name(path.name + name)
    tree.copy(saved, fresh)
    return fresh


def _in_place(saved: Path, path: Path) -> bool:
    """Tell whether a directory stays itself: a mount point or a watch survives."""
    return tree.is_directory(saved) and tree.is_directory(path)


def _put_back(saved: Path, fresh: Path, path: Path) -> None:
    if not _in_place(saved, path):
        _rename(fresh, path)
        return
    names = {each.name for each in fresh.iterdir()}
    for child in list(path.iterdir()):
        if child.name not in names and child != fresh:
            tree.remove(child)
    for each in list(fresh.iterdir()):
        _rename(each, path / each.name)
    fresh.rmdir()
    _make_alike(path, saved.stat())


def _make_alike(path: Path, status: os.stat_result) -> None:
    """Give a directory owner, mode and times; never what a link leads to."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags)
    try:
        os.fchown(handle, status.st_uid, status.st_gid)
        os.fchmod(handle, stat.S_IMODE(status.st_mode))
        os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(handle)


def _rename(fresh: Path, path: Path) -> None:
    if tree.is_directory(path) or tree.is_directory(fresh):
        tree.remove(path)
    fresh.rename(path)


def _compare(wanted: Sequence[str], found: Sequence[str]) -> None:
    if (line := tree.difference(wanted, found)) is not None:
        raise StoreError(f"restored files differ from the backup: {line}")
