"""The type `file`: content, kind, owner, group and mode of one file.

Guarantee: a file's content is replaced as a whole, with owner and mode before its
first byte; a directory is removed only with `force`, and a link is never followed to
what it leads to.

Sources: Puppet 8, `type/file.rb`, `type/file/*.rb` (values, messages).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from reseal import files
from reseal.agent.accounts import group_id, user_id
from reseal.agent.clientbucket import ClientBucket
from reseal.agent.regular import read_regular
from reseal.agent.resources.fileparts import Content, Ensure, Mode, Owner, kind_of
from reseal.agent.resources.model import (
    ABSENT,
    BadResource,
    Log,
    Name,
    Property,
    Resource,
    ResourceFailed,
    text_of,
    truth_of,
)
from reseal.agent.sources import Found, Sources
from reseal.errors import StoreError

_TAKEN = frozenset(
    (
        *("path", "ensure", "content", "source", "owner", "group", "mode", "force"),
        *("target", "backup", "replace", "links", "checksum", "show_diff"),
        *("source_permissions", "validate_cmd", "seltype", "selrole", "seluser"),
    )
)
_DEVICES = ("blockSpecial", "characterSpecial")
_ENSURE = ("present", "file", "directory", "link", ABSENT, "false")


class File(Resource):
    """A file of this host.

    Attributes:
        path: Where it is.
        ensure: `present`, `file`, `directory`, `link`, `absent`, or None.
        mode, owner, group: As numbers; None leaves them.
        backup: A bucket's name, the ending of a copy, or `false`.
    """

    def __init__(
        self,
        title: str,
        parameters: Mapping[str, object],
        sources: Sources,
        *,
        bucket: ClientBucket,
        log: Log,
        show_diff: bool = False,
    ) -> None:
        """Read what shall be; BadResource in Puppet's words."""
        super().__init__(Name("File", title))
        for name in parameters:
            if name not in _TAKEN:
                raise BadResource(f"parameter '{name}' is not supported by reseal")
        self._told, self._sources = dict(parameters), sources
        self._bucket, self._log = bucket, log
        self.path = Path(text_of(parameters.get("path", title)))
        if not self.path.is_absolute():
            text = f"File paths must be fully qualified, not '{self.path}'"
            raise BadResource(f"Parameter path failed on {self.name}: {text}")
        self.ensure = self._ensure()
        self.backup = self._backup()
        self.mode = self._mode()
        self.owner, self.group = self._text("owner"), self._text("group")
        self.replaces = truth_of(parameters.get("replace", True))
        wanted = truth_of(parameters.get("show_diff", True))
        self.show_diff = show_diff and wanted
        self._content = self._bytes()
        self._found: Found | None = None

    def properties(self) -> Sequence[Property]:
        found: list[Property] = []
        if self.ensure is not None:
            found.append(Ensure(self, self.ensure))
        if self.has_content and self.ensure != "directory":
            found.append(Content(self))
        if self.ensure == "link":
            return found
        if self.owner is not None:
            found.append(Owner("owner", self, self.owner))
        if self.group is not None:
            found.append(Owner("group", self, self.group))
        if self.mode is not None:
            found.append(Mode(self, self.mode))
        return found

    @property
    def has_content(self) -> bool:
        """Whether it is said what the file holds."""
        return self._content is not None or "source" in self._told

    @property
    def target(self) -> str:
        """Where a link leads."""
        return self._text("target") or self._text("content") or ""

    def status(self) -> os.stat_result | None:
        """Return what is there now, of a link itself; None for nothing."""
        try:
            return self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ResourceFailed(f"{self.path}: {error.strerror}") from None

    def digest(self) -> str:
        """Return the SHA-256 that the content shall have; ResourceFailed."""
        if self._content is not None:
            return hashlib.sha256(self._content).hexdigest()
        return self.source().digest

    def source(self) -> Found:
        """Return the first source there is; ResourceFailed without one."""
        if self._found is None:
            told = self._told["source"]
            listed = [
                text_of(each) for each in (told if isinstance(told, list) else [told])
            ]
            tried = (self._sources.find(each) for each in listed)
            self._found = next((each for each in tried if each is not None), None)
        if self._found is None:
            text = "Could not retrieve information from environment source(s)"
            raise ResourceFailed(f"{text} {', '.join(listed)}")
        return self._found

    def content(self) -> bytes:
        """Return the content there shall be; ResourceFailed."""
        if self._content is not None:
            return self._content
        if "source" not in self._told:
            return b""
        found = self.source()
        if found.directory:
            text = f"{self.path}: its source is a directory, which needs recurse"
            raise ResourceFailed(f"{text}; reseal does not have it")
        return self._sources.fetch(found)

    def current(self) -> bytes:
        """Return what the file holds; ResourceFailed if it is no regular file."""
        try:
            return read_regular(self.path)[0]
        except OSError as error:
            raise ResourceFailed(f"{self.path}: {error.strerror}") from None

    def warn(self, text: str) -> None:
        """Tell what is not as somebody may expect it."""
        self._log("warning", str(self.name), text)

    def write(self, data: bytes) -> None:
        """Put the content in place, with owner and mode; ResourceFailed."""
        self._back_up()
        old = self.status()
        regular = old is not None and stat.S_ISREG(old.st_mode)
        kept = stat.S_IMODE(old.st_mode) if old is not None and regular else 0o644
        owner = (old.st_uid, old.st_gid) if old is not None and regular else None
        user, group = owner or (os.geteuid(), os.getegid())
        user = user_id(self.owner) if self.owner is not None else user
        group = group_id(self.group) if self.group is not None else group
        try:
            files.replace(
                self.path,
                data,
                mode=kept if self.mode is None else self.mode,
                owner=(user, group),
                follow=False,
            )
        except (StoreError, OSError) as error:
            raise ResourceFailed(f"Could not set 'file' on ensure: {error}") from None

    def remove(self) -> None:
        """Remove what is there; a directory only with `force`; ResourceFailed."""
        status = self.status()
        try:
            if status is not None and stat.S_ISDIR(status.st_mode):
                if not truth_of(self._told.get("force", False)):
                    text = "Not removing directory; use 'force' to override"
                    raise ResourceFailed(text)
                self._back_up()
                shutil.rmtree(self.path)
            elif status is not None:
                self._back_up()
                self.path.unlink()
        except OSError as error:
            raise ResourceFailed(f"{self.path}: {error.strerror}") from None

    def _back_up(self) -> None:
        """Keep what is there, where `backup` says so; ResourceFailed for a device."""
        status, told = self.status(), self.backup
        if status is not None and kind_of(status) in _DEVICES:
            raise ResourceFailed(f"Could not back up files of type {kind_of(status)}")
        if status is None or told == "false":
            return
        directory = stat.S_ISDIR(status.st_mode)
        if not directory and not stat.S_ISREG(status.st_mode):
            return  # a link, a pipe, a device: there is no content to be kept
        if told.startswith("."):
            if directory:
                text = f"Could not back up {self.path}: a directory is kept in a bucket"
                raise ResourceFailed(f"{text} only, backup => puppet")
            self._copy_beside(told)
            return
        if directory:
            self._log("info", str(self.name), "Recursively backing up to filebucket")
            kept = list(self._bucket.keep_all(self.path))
        else:
            kept = [(self.path, self._bucket.keep(self.path))]
        for path, total in kept:
            self._log("info", "", f"Computing checksum on file {path}")
            text = f"Filebucketed {path} to {told} with sum {total}"
            self._log("info", str(self.name), text)

    def _copy_beside(self, ending: str) -> None:
        beside = self.path.with_name(self.path.name + ending)
        try:
            data, status = read_regular(self.path)
            owner, mode = (status.st_uid, status.st_gid), status.st_mode & 0o777
            files.replace(beside, data, mode=mode, owner=owner, follow=False)
        except (OSError, StoreError) as error:
            raise ResourceFailed(f"Could not back up {self.path}: {error}") from None

    def _backup(self) -> str:
        told = self._text("backup") or "false"
        if told == "true":
            return ".puppet-bak"
        if told.startswith(".") and "/" in told:
            text = f"an ending cannot have a directory: '{told}'"
            raise BadResource(f"Parameter backup failed on {self.name}: {text}")
        return told

    def _ensure(self) -> str | None:
        told = self._text("ensure")
        if told is None:
            if "target" in self._told:
                return "link"
            return "file" if "content" in self._told or "source" in self._told else None
        if told.startswith("/"):
            self._told["target"] = told
            return "link"
        if told not in _ENSURE:
            known = "absent, false, file, present, directory, link"
            text = f'Invalid value "{told}". Valid values are {known}.'
            raise BadResource(f"Parameter ensure failed on {self.name}: {text}")
        return ABSENT if told == "false" else told

    def _mode(self) -> int | None:
        told = self._text("mode")
        if told is None:
            return None
        try:
            found = int(told, 8)
        except ValueError:
            found = -1
        if not 0 <= found <= 0o7777:
            text = (
                f"The file mode specification is invalid: {told!r}: octal digits only"
            )
            raise BadResource(f"Parameter mode failed on {self.name}: {text}")
        return found

    def _bytes(self) -> bytes | None:
        if "content" in self._told and "source" in self._told:
            text = "You cannot specify more than one of content, source, target"
            raise BadResource(text)
        told = self._text("content")
        return None if told is None else told.encode("utf-8", "surrogateescape")

    def _text(self, name: str) -> str | None:
        told = self._told.get(name)
        return None if told is None else text_of(told)
