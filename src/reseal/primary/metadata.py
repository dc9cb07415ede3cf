"""What Puppet's file server tells of files: owner, mode, checksum, what is below.

Sources: Puppet, `file_serving/metadata.rb`, `file_serving/fileset.rb` (breadth first,
`ignore` is about names, `max_files`); `tests/data/primary/`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reseal.primary.answers import Refused
from reseal.primary.checksums import checksum, timed

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a node wants to have files looked at.

    Attributes:
        checksum_type: Puppet's name for it.
        follow: Links are what they point to.
        use_permissions: Owner and mode are the file's; else those of anybody's file.
        recurse: What is below is wanted too.
        limit: Levels below; None for all.
        ignore: Names that are left out, with wildcards.
    """

    checksum_type: str = ""
    follow: bool = False
    use_permissions: bool = False
    recurse: bool = False
    limit: int | None = None
    ignore: tuple[str, ...] = ()


def look_of(query: Mapping[str, Sequence[str]]) -> Look:
    """Return how the parameters of a request want files looked at.

    Raises:
        Refused: 400, one makes no sense.
    """

    def last(name: str) -> str:
        return next(reversed(query.get(name, ())), "")

    limit = last("recurselimit")
    if limit and not (limit.isascii() and limit.isdigit()):
        raise Refused(400, f"Invalid recurselimit: {limit!r}")
    return Look(
        checksum_type=last("checksum_type"),
        follow=last("links") == "follow",
        use_permissions=last("source_permissions") == "use",
        recurse=last("recurse") in ("true", "remote", "inf"),
        limit=int(limit[:9]) if limit else None,
        ignore=tuple(query.get("ignore", ())),
    )


def describe(
    root: Path, relative: str | None, look: Look, *, path: Path | None = None
) -> dict[str, Any]:
    """Return the metadata of one file.

    Args:
        root: What `path` says in the document.
        relative: Below the root; `.` is the root itself, None a file asked for alone.
        look: How to look at it.
        path: Where it is, if not there.

    Raises:
        OSError: It is not there, or cannot be read.
        Refused: There is no such kind of checksum.
    """
    where = path or (root / relative if relative else root)
    status = where.stat() if look.follow else where.lstat()
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise OSError(errno.EINVAL, "neither file, directory nor link", str(where))
    used = look.use_permissions
    return {
        "path": str(root),
        "relative_path": relative,
        "links": "follow" if look.follow else "manage",
        "owner": status.st_uid if used else os.geteuid(),
        "group": status.st_gid if used else os.getegid(),
        "mode": stat.S_IMODE(status.st_mode) if used else 0o644,
        "checksum": _checksum(kind, where, status, look),
        "type": kind,
        "destination": str(where.readlink()) if kind == "link" else None,
    }


def _checksum(
    kind: str, where: Path, status: os.stat_result, look: Look
) -> dict[str, str]:
    if kind == "file" or (kind == "link" and where.is_file()):
        return checksum(look.checksum_type, where, status)
    return timed("ctime", status)


def walk(root: Path, look: Look) -> Iterator[str]:
    """Yield what is at and below a directory, relative to it, `.` first.

    A link to a directory is gone through once, however often it is met.
    """
    yield "."
    if not look.recurse:
        return
    seen, level, depth = {_identity(root)}, [""], 0
    while level and (look.limit is None or depth < look.limit):
        below: list[str] = []
        for directory in level:
            for name in _names(root / directory, look):
                relative = f"{directory}/{name}" if directory else name
                yield relative
                where = root / relative
                if _is_directory(where, look) and _identity(where) not in seen:
                    seen.add(_identity(where))
                    below.append(relative)
        level, depth = below, depth + 1


def _names(directory: Path, look: Look) -> list[str]:
    found = sorted(each.name for each in directory.iterdir())
    return [
        name
        for name in found
        if not any(fnmatchcase(name, pattern) for pattern in look.ignore)
    ]


def _is_directory(where: Path, look: Look) -> bool:
    return where.is_dir() and (look.follow or not where.is_symlink())


def _identity(where: Path) -> tuple[int, int]:
    status = where.stat()
    return status.st_dev, status.st_ino
