"""Put files in place inside a new directory, each with owner and mode before content.

Sources: `site/node/stage.rb`, which does the same.
"""

from __future__ import annotations

import base64
import grp
import os
import pwd
from collections.abc import Iterable, Mapping
from pathlib import Path

from reseal import files
from reseal.errors import StoreError
from reseal.files import Owner
from reseal.node import tree


def stage(
    base: Path, owner: str, entries: Iterable[Mapping[str, str]]
) -> dict[str, object]:
    """Make a directory anew and fill it; where it is.

    Args:
        base: The directory.
        owner: `user:group`, by name or number.
        entries: In order, directories `{path, mode}` and files `{path, mode, content}`
            (base64) or `{path, mode, from}` (a file to copy there).

    Raises:
        StoreError: There is no such owner, or a file cannot be written.
    """
    who = owner_of(owner)
    tree.remove(base)
    base.mkdir(mode=0o700)
    for entry in entries:
        path, mode = base / entry["path"], int(entry["mode"], 8)
        if "content" in entry:
            content = base64.b64decode(entry["content"])
            files.replace(path, content, mode=mode, owner=who)
        elif "from" in entry:
            content = files.read(Path(entry["from"]))
            files.replace(path, content, mode=mode, owner=who)
        else:
            files.make_directory(path, mode=mode, owner=who)
    os.sync()
    return {"staged": str(base)}


def owner_of(text: str) -> Owner:
    """Return the numbers of a `user:group`; `StoreError` if there is none such."""
    user, _, group = text.partition(":")
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise StoreError(f"{text}: no such user and group") from None
    return uid, gid
