"""The properties of the type `file`.

Sources: Puppet 8, `type/file/ensure.rb`, `content.rb`, `owner.rb`, `mode.rb`.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from reseal.agent.accounts import group_id, group_name, user_id, user_name
from reseal.agent.resources.model import ABSENT, Property, ResourceFailed

if TYPE_CHECKING:
    from reseal.agent.resources.file import File

_SHOWN = 1 << 16
"""Bytes of the largest file of which a diff is shown."""


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "blockSpecial",
    stat.S_IFCHR: "characterSpecial",
}


def kind_of(status: os.stat_result) -> str:
    """Return Puppet's (and Ruby's) word for what a file is."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "unknown")


class Ensure(Property):
    """What is there: nothing, a file, a directory, a link."""

    def __init__(self, file: File, should: str) -> None:
        super().__init__("ensure", should)
        self.file = file

    def retrieve(self) -> str:
        status = self.file.status()
        if status is None:
            return ABSENT
        return kind_of(status)

    def in_sync(self, current: str) -> bool:
        if self.should == "present":
            return current != ABSENT
        if self.should == "link" and current == "link":
            return os.readlink(self.file.path) == self.file.target  # noqa: PTH115 - as it is
        return current == self.should

    def sync(self) -> None:
        file = self.file
        if self.should == ABSENT:
            file.remove()
            return
        data = file.content() if self.should in ("present", "file") else b""
        if file.status() is not None:
            file.remove()
        try:
            if self.should == "directory":
                mode = 0o755 if file.mode is None else file.mode
                file.path.mkdir(mode=0o700)
                _own(file)
                file.path.chmod(mode)
            elif self.should == "link":
                file.path.symlink_to(file.target)
            else:
                file.write(data)
        except OSError as error:
            text = f"Could not set '{self.should}' on ensure: {error.strerror}"
            raise ResourceFailed(f"{text} - {file.path}") from None

    def told(self, current: str) -> str:
        if self.should == ABSENT:
            return "removed"
        if self.should in ("present", "file") and self.file.has_content:
            return f"defined content as '{{sha256}}{self.file.digest()}'"
        if current != ABSENT:
            return f"ensure changed '{current}' to '{self.should}'"
        return "created"


class Content(Property):
    """What a file holds."""

    def __init__(self, file: File) -> None:
        super().__init__("content", "")
        self.file = file

    def retrieve(self) -> str:
        self.should = f"{{sha256}}{self.file.digest()}"
        status = self.file.status()
        if status is None:
            return ABSENT
        if not stat.S_ISREG(status.st_mode):
            # Only `ensure => present` leaves it so.
            text = f"Ensure set to :present but file type is {kind_of(status)}"
            self.file.warn(f"{text} so no content will be synced")
            return self.should
        return f"{{sha256}}{hashlib.sha256(self.file.current()).hexdigest()}"

    def in_sync(self, current: str) -> bool:
        return current == self.should or not self.file.replaces

    def sync(self) -> None:
        self.file.write(self.file.content())

    def details(self, current: str) -> str:
        if not self.file.show_diff:
            return ""
        old, new = self.file.current(), self.file.content()
        if max(len(old), len(new)) > _SHOWN:
            return ""
        lines = [each.decode("utf-8", "replace").splitlines() for each in (old, new)]
        name = str(self.file.path)
        return "\n".join(
            difflib.unified_diff(lines[0], lines[1], name, name, lineterm="")
        )

    def told(self, current: str) -> str:
        return f"content changed '{current}' to '{self.should}'"


class Owner(Property):
    """Whose a file is: `owner` or `group`."""

    def __init__(self, name: str, file: File, should: str) -> None:
        super().__init__(name, should)
        self.file = file

    def retrieve(self) -> str:
        status = self.file.status()
        if status is None:
            return ABSENT
        if self.name == "owner":
            return user_name(status.st_uid)
        return group_name(status.st_gid)

    def in_sync(self, current: str) -> bool:
        if current == ABSENT:
            return True
        status = self.file.status()
        found = (
            -1
            if status is None
            else (status.st_uid if self.name == "owner" else status.st_gid)
        )
        return found == self._number()

    def sync(self) -> None:
        number = self._number()
        user, group = (number, -1) if self.name == "owner" else (-1, number)
        try:
            os.chown(self.file.path, user, group, follow_symlinks=False)
        except OSError as error:
            text = f"Failed to set {self.name} to '{number}': {error.strerror}"
            raise ResourceFailed(f"{text} - {self.file.path}") from None

    def _number(self) -> int:
        return user_id(self.should) if self.name == "owner" else group_id(self.should)


class Mode(Property):
    """Who may do what with a file."""

    def __init__(self, file: File, should: int) -> None:
        super().__init__("mode", f"{should:04o}")
        self.file, self.mode = file, should

    def retrieve(self) -> str:
        status = self.file.status()
        if status is None or stat.S_ISLNK(status.st_mode):
            return ABSENT
        return f"{stat.S_IMODE(status.st_mode):04o}"

    def in_sync(self, current: str) -> bool:
        return current in (ABSENT, self.should)

    def sync(self) -> None:
        try:
            self.file.path.chmod(self.mode)
        except OSError as error:
            text = f"failed to set mode {self.should} on {self.file.path}"
            raise ResourceFailed(f"{text}: {error.strerror}") from None


def _own(file: File) -> None:
    user = -1 if file.owner is None else user_id(file.owner)
    group = -1 if file.group is None else group_id(file.group)
    if (user, group) != (-1, -1):
        os.chown(file.path, user, group)
