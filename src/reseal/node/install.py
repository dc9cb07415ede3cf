"""Set the old contents of directories aside and put the prepared ones there.

A link inside a directory that leads to another of the directories stays.

Guarantee: what gets its name is complete: it was renamed, or copied beside and then
renamed.  The old contents go only when all of them are set aside and on disk, the
prepared ones stay where they are; so this can be killed anywhere and begun again.

Sources: `site/node/install.rb`, which does the same.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from reseal.errors import StoreError
from reseal.node import tree

_ELSEWHERE = (errno.EXDEV, errno.EBUSY)
_FRESH = ".reseal-new"

Pair = tuple[Path, Path]
"""A directory, and what is prepared for it."""


def install(backup: Path, pairs: Sequence[Pair]) -> dict[str, object]:
    """Put prepared contents in place; the directories, links followed.

    Raises:
        StoreError: What was prepared is gone, or cannot be copied.
    """
    with tree.alone(backup):
        directories = [directory.resolve(strict=True) for directory, _ in pairs]
        if not tree.marked(backup, "installed"):
            _install(backup, pairs, directories)
    return {"installed": [str(each) for each in directories]}


def _install(backup: Path, pairs: Sequence[Pair], directories: Sequence[Path]) -> None:
    for _, prepared in pairs:
        if not prepared.is_dir():
            raise StoreError(f"{prepared} is gone; nothing was changed now")
    tree.mark(backup, "setting-aside")
    if not tree.marked(backup, "set-aside"):
        for number, (directory, _) in enumerate(pairs):
            aside = backup / "aside" / str(number)
            for each in (aside.parent, aside):
                each.mkdir(mode=0o700, exist_ok=True)
            for path in _old(directory, directories):
                _set_aside(path, aside / path.name)
        tree.mark(backup, "set-aside")
    # From here on, all that lies in the directories is old and safe, or can be copied
    # there anew.
    for directory, prepared in pairs:
        for path in _old(directory, directories):
            tree.remove(path)
        for each in prepared.iterdir():
            _copy(each, directory / each.name)
    tree.relabel(directories)
    tree.mark(backup, "installed")


def _old(directory: Path, directories: Collection[Path]) -> list[Path]:
    """Return what is in a directory, but for links to another of the directories."""
    return [
        path
        for path in directory.iterdir()
        if not (path.is_symlink() and Path(os.path.realpath(path)) in directories)
    ]


def _set_aside(source: Path, target: Path) -> None:
    """Move; what lies aside under its own name is complete, an earlier run put it."""
    if tree.there(target):
        return
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in _ELSEWHERE:
            raise
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    fresh = target.with_name(target.name + _FRESH)
    tree.copy(source, fresh)
    tree.remove(target)
    fresh.rename(target)
