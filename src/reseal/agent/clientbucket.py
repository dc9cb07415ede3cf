"""What files held before they were replaced, kept in Puppet's own bucket of the node.

Guarantee: what a regular file held is kept before it is replaced or removed, or nothing
is changed; only root can read it; `puppet filebucket --local` lists and restores it.

Sources: Puppet 8, `file_bucket/dipper.rb`, `file_bucket/file.rb` (eight directories of
one digit, the sum; `contents` and `paths`), `type/file.rb` (`backup`, messages).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reseal import files
from reseal.agent.regular import ROOT, read_regular
from reseal.agent.resources.model import ResourceFailed
from reseal.errors import StoreError

_DIGITS = 8
_CONTENTS, _PATHS, _DIRECTORY = 0o440, 0o640, 0o750


@dataclass(frozen=True, slots=True)
class ClientBucket:
    """A bucket; made when something is kept.

    Attributes:
        root: Puppet's setting `clientbucketdir`.
    """

    root: Path

    def keep(self, path: Path) -> str:
        """Keep a file and return its SHA-256; ResourceFailed if it cannot be kept."""
        try:
            data, _ = read_regular(path)
            total = hashlib.sha256(data).hexdigest()
            directory = self._directory(total)
            if _kept(directory / "contents") != data:
                _keep(directory / "contents", data, _CONTENTS)
            known = (_kept(directory / "paths") or b"").splitlines()
            if (name := os.fsencode(path)) not in known:
                lines = b"".join(each + b"\n" for each in (*known, name))
                _keep(directory / "paths", lines, _PATHS)
        except (OSError, StoreError) as error:
            raise ResourceFailed(f"Could not back up {path}: {error}") from None
        return total

    def keep_all(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Keep every file of a directory, and yield path and SHA-256 of each."""
        for each in sorted(path.rglob("*")):
            if each.is_file() and not each.is_symlink():
                yield each, self.keep(each)

    def _directory(self, total: str) -> Path:
        """Make the directory of a sum; ResourceFailed if the bucket is another's."""
        found = Path(self.root, *total[:_DIGITS], total)
        for each in [*reversed(found.parents), found]:
            if not each.is_dir():
                files.make_directory(each, mode=_DIRECTORY, owner=ROOT)
            if each == self.root:
                status = each.lstat()
                if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                    text = f"the bucket {each} is not a directory of this user's"
                    raise ResourceFailed(f"{text}: move it away")
        return found


def _kept(path: Path) -> bytes | None:
    try:
        return read_regular(path)[0]
    except FileNotFoundError:
        return None


def _keep(path: Path, data: bytes, mode: int) -> None:
    files.replace(path, data, mode=mode, owner=ROOT, follow=False)
