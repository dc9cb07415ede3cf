"""Put copies of this node's material in their places.

Guarantee: a copy is the old one or the new one, whole, with its owner and mode from
the first byte; a link that somebody has put in its place is replaced, not followed.

Sources: `site/node/copies.rb`, which does the same.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from reseal import files
from reseal.node import tree
from reseal.node.stage import owner_of
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import to_der
from reseal.x509.keys import load_private


def renew_copies(copies: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Renew copies that do not hold what they should; which they were.

    Args:
        copies: Each with `path`, `mode`, `owner` and `from`: the files whose contents
            follow each other in the copy.  With `der`, which is `key` or
            `certificate`, it is one, as DER in the copy.  With `content`, in base64,
            in place of `from`: what is meant itself.

    Raises:
        StoreError: A file cannot be read or written, or there is no such owner.
        ParseError: It does not hold what `der` says.
    """
    renewed = []
    for copy in copies:
        path = Path(copy["path"])
        content = _content(copy)
        if path.is_file() and not path.is_symlink() and files.read(path) == content:
            continue
        mode, owner = int(copy["mode"], 8), owner_of(copy["owner"])
        tree.require_straight(path.parent)
        files.replace(path, content, mode=mode, owner=owner, follow=False)
        renewed.append(str(path))
    tree.relabel(renewed)
    os.sync()
    return {"renewed": renewed}


def _content(copy: Mapping[str, Any]) -> bytes:
    if "content" in copy:
        return base64.b64decode(copy["content"])
    if "der" not in copy:
        return b"".join(_whole(Path(each)) for each in copy["from"])
    data = files.read(Path(copy["from"][0]))
    if copy["der"] == "certificate":
        return to_der(load_certificate(data))
    form = PrivateFormat.PKCS8
    return load_private(data).private_bytes(Encoding.DER, form, NoEncryption())


def _whole(path: Path) -> bytes:
    """Return a file's bytes, with an end of the last line."""
    content = files.read(path)
    return content if not content or content.endswith(b"\n") else content + b"\n"
