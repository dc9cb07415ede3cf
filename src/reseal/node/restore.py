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

STAGED = ".reseal-restore"


def restore(backup: Path, paths: Sequence[Path]) -> dict[str, object]:
    """Put back the paths a backup was made of; how many entries there are then.

    Raises:
        StoreError: There is no proven backup, or what is there in the end differs.
    """
    with tree.alone(backup):
        wanted = tree.decoded(files.read(backup / "manifest"))
        saved = {path: backup / "tree" / path.relative_to("/") for path in paths}
        kept = [path for path in paths if tree.there(saved[path])]
        fresh = {path: _stage(saved[path], path) for path in kept}
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


def _stage(saved: Path, path: Path) -> Path:
    """Copy what was saved beside what it is to replace, on the same file system."""
    fresh = path / STAGED
    if not _in_place(saved, path):
        fresh = path.with_name(path.name + STAGED)
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
    status = saved.stat()
    os.chown(path, status.st_uid, status.st_gid)
    path.chmod(stat.S_IMODE(status.st_mode))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _rename(fresh: Path, path: Path) -> None:
    if tree.is_directory(path) or tree.is_directory(fresh):
        tree.remove(path)
    fresh.rename(path)


def _compare(wanted: Sequence[str], found: Sequence[str]) -> None:
    if (line := tree.difference(wanted, found)) is not None:
        raise StoreError(f"restored files differ from the backup: {line}")
