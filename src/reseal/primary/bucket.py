"""The file bucket: files that nodes have replaced, kept by their checksums.

Guarantee: what is kept under a checksum has it; Puppet's own tools can read the
directory.

Sources: Puppet, `file_bucket/file.rb`, `indirector/file_bucket_file/file.rb` (eight
directories of one digit, then the sum; `contents` and `paths`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from reseal import files
from reseal.errors import NotFound
from reseal.locks import locked
from reseal.primary.answers import Refused
from reseal.primary.checksums import DIGESTS
from reseal.primary.records import MODE, Records

_HEX = re.compile(r"[0-9a-f]+")
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Key:
    """What a path of the API says: `sha256/SUM`, and perhaps where the file was."""

    kind: str
    total: str
    origin: str


def key_of(path: str) -> Key:
    """Read what follows `file_bucket_file/`.

    Raises:
        Refused: 400, it is no checksum.
    """
    kind, _, rest = path.partition("/")
    total, _, origin = rest.partition("/")
    if kind not in DIGESTS:
        raise Refused(400, f'Unsupported checksum type "{kind}"')
    if len(total) != DIGESTS[kind] or not _HEX.fullmatch(total):
        raise Refused(400, f'Invalid checksum "{total}"')
    if not origin.isprintable():
        raise Refused(400, "Invalid path: has unprintable characters")
    return Key(kind, total, origin)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A file bucket among a primary server's records."""

    records: Records

    def has(self, key: Key) -> bool:
        """Say whether a file is kept; with an origin, whether as that file."""
        directory = self._directory(key)
        if not (directory / "contents").is_file():
            return False
        return not key.origin or key.origin in _origins(directory)

    def get(self, key: Key) -> bytes:
        """Return a file.

        Raises:
            NotFound: It is not kept, or not as that file.
        """
        if not self.has(key):
            raise NotFound(f"{key.kind}/{key.total}: is not in the bucket")
        return files.read(self._directory(key) / "contents")

    def put(self, key: Key, data: bytes) -> None:
        """Keep a file.

        Raises:
            Refused: 400, it has another checksum; 507, the disk is nearly full.
        """
        if hashlib.new(key.kind, data, usedforsecurity=False).hexdigest() != key.total:
            text = f"The content does not have the {key.kind} checksum {key.total}"
            raise Refused(400, text)
        directory = self.records.make("bucket", *key.total[:_DIGITS], key.total)
        with locked(self.records.make("bucket")):
            if not (directory / "contents").is_file():
                self.records.room_for(len(data))
                files.replace(directory / "contents", data, mode=MODE)
            known = _origins(directory)
            if key.origin not in known:
                lines = "".join(f"{each}\n" for each in [*known, key.origin])
                files.replace(directory / "paths", lines.encode(), mode=MODE)

    def _directory(self, key: Key) -> Path:
        return Path(self.records.root, "bucket", *key.total[:_DIGITS], key.total)


def _origins(directory: Path) -> list[str]:
    try:
        return files.read(directory / "paths").decode().splitlines()
    except NotFound:
        return []
