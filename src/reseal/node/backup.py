"""Copy directories and files into a backup, and prove the copy.

The copy is restored into a scratch directory and compared, entry by entry, with what
is in use; only then the manifest gets its name.  A path that changes meanwhile is
copied again, three times at most.

Guarantee: what could not be replaced later, as a mount point inside a directory, is
refused here.

Sources: `site/node/backup.rb`, which does the same; proc(5), `mountinfo`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reseal import files
from reseal.errors import StoreError
from reseal.node import tree

ATTEMPTS = 3
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\(\d{3})")


def back_up(backup: Path, paths: Sequence[Path]) -> dict[str, object]:
    """Make a backup in a run's directory; how many entries, and their manifest's hash.

    Raises:
        StoreError: A path cannot be copied, or could not be put back.
    """
    with tree.alone(backup):
        if tree.marked(backup, "clearing") or tree.marked(backup, "setting-aside"):
            raise StoreError(f"{backup} is in use: what it was made of is replaced")
        found = [path for path in paths if tree.there(path)]
        for path in found:
            _require_replaceable(path)
        # The manifest vouches for the tree, so it goes first.
        files.remove(backup / "manifest")
        tree.remove(backup / "tree")
        lines = [line for path in found for line in _proven(backup, path)]
        tree.remove(backup / "scratch")
        text = tree.encoded(lines)
        os.sync()
        files.replace(backup / "manifest", text, mode=0o600)
    return {"entries": len(lines), "manifest": hashlib.sha256(text).hexdigest()}


def _proven(backup: Path, path: Path) -> list[str]:
    """Copy a path, and return the manifest that the copy and the original share."""
    kept, scratch = (_under(backup / name, path) for name in ("tree", "scratch"))
    why: object = None
    for attempt in range(ATTEMPTS):
        time.sleep(min(attempt, 1))
        try:
            tree.copy(path, kept)
            tree.copy(kept, scratch)
            live = tree.manifest(path, path)
            why = tree.difference(live, tree.manifest(scratch, path))
        except (StoreError, FileNotFoundError) as error:
            why = error
        if why is None:
            return live
    raise StoreError(f"the backup differs from {path}: {why}")


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _require_replaceable(path: Path) -> None:
    if path.is_symlink() and path.is_dir():
        raise StoreError(f"{path} is a link to a directory; name the directory itself")
    if path.is_dir() and (found := _mount_inside(path)) is not None:
        message = f"{found} is a mount point inside {path}; unmount it first"
        raise StoreError(message)


def _mount_inside(path: Path) -> str | None:
    inside = os.fsencode(path.resolve()) + b"/"
    mounts = (each for each in _mounts() if each.startswith(inside))
    return next((os.fsdecode(each) for each in mounts), None) or _strange(path)


def _mounts() -> Iterator[bytes]:
    if _MOUNTS.exists():
        for line in _MOUNTS.read_bytes().splitlines():
            yield _OCTAL.sub(lambda code: bytes([int(code[1], 8)]), line.split()[4])


def _strange(path: Path) -> str | None:
    """Return a directory inside that lies on another device."""
    device = path.stat().st_dev
    for base, directories, _ in os.walk(path):
        for each in (Path(base, name) for name in directories):
            status = each.lstat()
            if status.st_dev != device and not each.is_symlink():
                return str(each)
    return None
