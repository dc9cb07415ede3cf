"""Checksums of files by the names Puppet has for their kinds.

Sources: Puppet, `util/checksums.rb`.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from reseal.primary.answers import Refused

_LITE = 512
"""Bytes at the beginning of a file that a `lite` checksum is about."""

_PIECE = 1 << 20
DIGESTS = {
    name: getattr(hashlib, name)().digest_size * 2
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}
"""Kinds of checksums that are digests of all bytes, with their hexadecimal digits."""

_DEFAULT = "sha256"


def checksum(kind: str, path: Path, status: os.stat_result) -> dict[str, str]:
    """Return type and value of a file's checksum.

    Args:
        kind: Puppet's `checksum_type`; empty for the usual one.
        path: The file.
        status: Of the file.

    Raises:
        Refused: 400, there is no such kind.
        OSError: The file cannot be read.
    """
    kind = kind or _DEFAULT
    if kind == "none":
        return {"type": kind, "value": "{none}"}
    if kind in ("mtime", "ctime"):
        return timed(kind, status)
    name = kind.removesuffix("lite")
    if name not in DIGESTS or (name != kind and name not in ("md5", "sha1", "sha256")):
        raise Refused(400, f"Unsupported checksum type {kind}")
    stamp = status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
    return {"type": kind, "value": f"{{{kind}}}{_digest(name, kind, path, stamp)}"}


@lru_cache(maxsize=65536)
def _digest(name: str, kind: str, path: Path, stamp: tuple[int, ...]) -> str:
    """Return a digest; of a file that has not changed it is not made twice."""
    found = hashlib.new(name, usedforsecurity=False)
    with path.open("rb") as file:
        if name != kind:
            found.update(file.read(_LITE))
        else:
            while piece := file.read(_PIECE):
                found.update(piece)
    return found.hexdigest()


def timed(kind: str, status: os.stat_result) -> dict[str, str]:
    """Return a checksum that is a time: `mtime`, or `ctime` as directories have it."""
    seconds = status.st_mtime if kind == "mtime" else status.st_ctime
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return {"type": kind, "value": f"{{{kind}}}{moment:%Y-%m-%d %H:%M:%S} +0000"}
