"""Put copies of this node's material in their places.

Guarantee: a copy is the old one or the new one, whole, with its owner and mode from
the first byte; a link that somebody has put in its place is replaced, not followed.

Sources: `site/node/copies.rb`, which does the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reseal import files
from reseal.node import tree
from reseal.node.stage import owner_of


def renew_copies(copies: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Renew copies that do not hold what they should; which they were.

    Args:
        copies: Each with `path`, `mode`, `owner` and `from`: the files whose contents
            follow each other in the copy.

    Raises:
        StoreError: A file cannot be read or written, or there is no such owner.
    """
    renewed = []
    for copy in copies:
        path = Path(copy["path"])
        content = b"".join(_whole(Path(each)) for each in copy["from"])
        if path.is_file() and not path.is_symlink() and files.read(path) == content:
            continue
        mode, owner = int(copy["mode"], 8), owner_of(copy["owner"])
        tree.require_straight(path.parent)
        files.replace(path, content, mode=mode, owner=owner, follow=False)
        renewed.append(str(path))
    tree.relabel(renewed)
    os.sync()
    return {"renewed": renewed}


def _whole(path: Path) -> bytes:
    """Return a file's bytes, with an end of the last line."""
    content = files.read(path)
    return content if not content or content.endswith(b"\n") else content + b"\n"
