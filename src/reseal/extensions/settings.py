"""Settings of services, as far as their files say where copies are.

Sources: PuppetDB's jetty.ini, postgresql.conf, nginx's, MCollective's and ActiveMQ's
configuration: a name, then `=`, `:` or a blank, then the value, quoted or not, with
or without a semicolon; of XML, an attribute.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FILE = "#file "
"""How a line begins that names the file of those that follow."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that was found.

    Attributes:
        value: What it says.
        file: Where it stands; empty if that is not told.
    """

    value: str
    file: str = ""

    @property
    def path(self) -> str:
        """The value as a path: a URL's, or one that begins at the file."""
        return self.path_from(posixpath.dirname(self.file))

    def path_from(self, base: str) -> str:
        """Return the value as a path, or a URL's, that begins at a directory."""
        found = self.value.removeprefix("file:")
        if found.startswith("//"):
            found = found[2:]
        return posixpath.join(base, found)


def settings_of(text: str, names: Iterable[str]) -> Mapping[str, Setting]:
    """Return the settings of these names; of one that is there twice, the last."""
    return {name: each[-1] for name, each in every_setting(text, names).items()}


def every_setting(text: str, names: Iterable[str]) -> Mapping[str, list[Setting]]:
    """Return the settings of these names, as often as each is there."""
    found: dict[str, list[Setting]] = {}
    file = ""
    wanted = frozenset(names)
    for line in text.splitlines():
        if line.startswith(FILE):
            file = line.removeprefix(FILE)
            continue
        name, value = _parted(line.strip())
        if name in wanted and value:
            found.setdefault(name, []).append(Setting(value, file))
    return found


def _parted(line: str) -> tuple[str, str]:
    """Return name and value of a line, without quotes, comments and semicolons."""
    # A symbol of Ruby, as settings.yml of Foreman's proxy has them.
    line = line.removeprefix(":")
    ends = [place for mark in "=: \t" if (place := line.find(mark)) >= 0]
    end = min(ends, default=len(line))
    name, rest = line[:end], line[end:].lstrip()
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip()
    for quote in "\"'":
        if rest[:1] == quote and quote in rest[1:]:
            return name, rest[1:].partition(quote)[0]
    return name, rest.partition(" #")[0].rstrip().rstrip(";").rstrip()
