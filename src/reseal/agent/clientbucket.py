"""What files held before they were replaced, kept in Puppet's own bucket of the node.

Guarantee: what is replaced or removed is kept first, or nothing is changed; `puppet
filebucket --local` lists and restores it.

Sources: Puppet 8, `file_bucket/dipper.rb`, `file_bucket/file.rb` (eight directories of
one digit, the sum; `contents` and `paths`), `type/file.rb` (`backup`, messages).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reseal import files
from reseal.agent.resources.model import ResourceFailed
from reseal.errors import NotFound, StoreError

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
            data = path.read_bytes()
            total = hashlib.sha256(data).hexdigest()
            directory = self._directory(total)
            if not (directory / "contents").exists():
                files.replace(
                    directory / "contents", data, mode=_CONTENTS, follow=False
                )
            known = _known(directory / "paths")
            if str(path) not in known:
                text = "".join(f"{each}\n" for each in (*known, path))
                files.replace(directory / "paths", text.encode(), mode=_PATHS)
        except (OSError, StoreError) as error:
            raise ResourceFailed(f"Could not back up {path}: {error}") from None
        return total

    def keep_all(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Keep every file of a directory, and yield path and SHA-256 of each."""
        for each in sorted(path.rglob("*")):
            if each.is_file() and not each.is_symlink():
                yield each, self.keep(each)

    def _directory(self, total: str) -> Path:
        found = Path(self.root, *total[:_DIGITS], total)
        for each in [*reversed(found.parents), found]:
            if not each.is_dir():
                files.make_directory(each, mode=_DIRECTORY)
        return found


def _known(path: Path) -> list[str]:
    try:
        return files.read(path).decode("utf-8", "replace").splitlines()
    except NotFound:
        return []
