"""Trees of files as a backup sees them: described, copied, put away.

Guarantee: what is copied keeps owner, mode, times and extended attributes; links are
never followed.

Sources: cp(1) of GNU coreutils (`-a`); the scripts of `site/node`, whose manifests
and marks are the same, byte for byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from reseal import files
from reseal.errors import StoreError
from reseal.locks import locked

_PATIENCE = 3600.0
"""Seconds to wait for an earlier command whose connection broke and that goes on."""

_KINDS = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "characterSpecial",
    stat.S_IFBLK: "blockSpecial",
}


@contextlib.contextmanager
def alone(backup: Path) -> Iterator[None]:
    """Hold a run's directory, so that one command of a run works at a time."""
    with locked(backup, timeout=_PATIENCE, name="lock"):
        yield


def there(path: Path) -> bool:
    """Tell whether something is there, be it a link that leads nowhere."""
    return os.path.lexists(path)


def is_directory(path: Path) -> bool:
    """Tell whether a directory is there, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def remove(path: Path) -> None:
    """Remove whatever is there; nothing without it."""
    if is_directory(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file, link or directory to a place of that name.

    Raises:
        StoreError: `cp` could not.
    """
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Nothing is gone into or written through that somebody has just put there.
    exact = ["-T", "--remove-destination"] if sys.platform == "linux" else []
    words = ["cp", "-a", *exact, "--", str(source), str(target)]
    done = subprocess.run(words, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise StoreError(f"cannot copy {source}: {said}")


def manifest(root: Path, shown: Path) -> list[str]:
    """Return a line for each file and directory of a tree, as if it lay at `shown`.

    Raises:
        StoreError: A name, or where a link leads, has a line feed in it.
    """
    lines = [f"{describe(root)} {shown}"]
    if "\n" in lines[0]:
        raise StoreError(f"{str(shown)!r} has a line feed in its name; rename it")
    if is_directory(root):
        for child in sorted(root.iterdir()):
            lines += manifest(child, shown / child.name)
    return lines


def describe(path: Path) -> str:
    """Return mode, owner and content of one file."""
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    return f"{mode:04o} {status.st_uid}:{status.st_gid} {_content(path, status)}"


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return f"link {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return "directory"
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return _KINDS.get(stat.S_IFMT(status.st_mode), "unknown")


def difference(wanted: Iterable[str], found: Iterable[str]) -> str | None:
    """Return the first line in which two manifests differ; None if they do not."""
    wanted, found = list(wanted), list(found)
    return next(iter([*_but(wanted, found), *_but(found, wanted)]), None)


def _but(lines: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    known = set(others)
    return (line for line in lines if line not in known)


def require_straight(directory: Path) -> None:
    """Hold that no link is on the way to a directory that was looked at before.

    Raises:
        StoreError: Somebody has put one there.
    """
    if os.path.realpath(directory) != str(directory):
        raise StoreError(f"{directory}: leads elsewhere now")


def relabel(paths: Iterable[object]) -> None:
    """Give files the labels that SELinux wants, where it is."""
    found = [str(each) for each in paths]
    if found and (program := shutil.which("restorecon")):
        subprocess.run([program, "-R", *found], check=False)


def mark(backup: Path, name: str) -> None:
    """Leave a mark in a run's directory, after all else is on disk."""
    os.sync()
    files.replace(backup / name, b"", mode=0o600)


def marked(backup: Path, name: str) -> bool:
    """Tell whether a run has left that mark."""
    return (backup / name).exists()


def encoded(lines: Iterable[str]) -> bytes:
    """Return a manifest's lines as its file holds them."""
    return b"".join(os.fsencode(line) + b"\n" for line in lines)


def decoded(data: bytes) -> list[str]:
    """Return the lines of a manifest's file."""
    return [os.fsdecode(line) for line in data.split(b"\n") if line]
