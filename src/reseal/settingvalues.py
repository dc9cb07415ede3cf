"""puppet.conf as text values, and the types of settings they are turned into.

Guarantee: sections, precedence and interpolation are Puppet's; every fault of a file
is told at once, with its line.

Sources: Puppet, `settings/ini_file.rb`, `settings.rb` (`$variable`).
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reseal.certname import Certname
from reseal.durations import parse as parse_duration
from reseal.errors import ParseError, ResealError, SettingsError

KeyType = Literal["rsa", "ec"]
Mode = Literal["server", "agent"]
SECTIONS: dict[Mode, tuple[str, ...]] = {
    "server": ("agent", "main", "master", "server"),
    "agent": ("main", "agent"),
}
"""The sections each kind of program reads; what stands later wins."""

_SECTION = re.compile(r"\[(\w+)\]")
_SETTING = re.compile(r"(\w+)\s*=\s*(.*?)\s*(?:\{\s*\w+\s*=[^}]*\})?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_OLD_NAMES = {"masterport": "serverport"}


def parse_puppet_conf(text: str, path: Path) -> dict[str, dict[str, str]]:
    """Return section, setting, value as they stand in the file.

    Args:
        text: The file's content.
        path: Where it came from, for messages.

    Raises:
        SettingsError: Lines that are neither section, setting, comment nor blank.
    """
    sections: dict[str, dict[str, str]] = {"main": {}}
    current, faults = "main", []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if section := _SECTION.match(line):
            current = section[1]
            sections.setdefault(current, {})
        elif setting := _SETTING.fullmatch(line):
            name = _OLD_NAMES.get(setting[1], setting[1])
            sections[current][name] = setting[2].strip("'\"")
        else:
            faults.append(f"line {number}: not a setting: {line!r}")
    if faults:
        raise SettingsError(str(path), faults)
    return sections


@dataclass(frozen=True, slots=True)
class Values:
    """The merged text values, to be turned into typed settings.

    Attributes:
        values: Every setting, as it is written.
        path: The puppet.conf, for messages.
        given: What the file or the command line says.
    """

    values: dict[str, str]
    path: Path
    given: frozenset[str]

    def fields(self, kind: type, leave: Container[str] = ()) -> dict[str, Any]:
        """Return the values of a dataclass's fields, in their types.

        Raises:
            SettingsError: Every value that is none of its type.
        """
        faults: list[str] = []
        fields: dict[str, Any] = {}
        for name, of in kind.__annotations__.items():
            if name in leave:
                continue
            try:
                fields[name] = self._typed(of, self.text(name))
            except (ResealError, ValueError) as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise SettingsError(str(self.path), faults)
        return fields

    def text(self, name: str, seen: tuple[str, ...] = ()) -> str:
        """Return a setting with every `$variable` in it replaced."""
        if name in seen:
            raise ParseError(f"refers to itself through ${name}")
        if name not in self.values:
            raise ParseError(f"refers to ${name}, which reseal does not know")
        return _VARIABLE.sub(
            lambda found: self.text(found[1] or found[2], (*seen, name)),
            self.values[name],
        )

    def _typed(self, kind: str, text: str) -> object:
        if kind == "Path":
            return Path(text).expanduser().absolute()
        if kind == "Certname":
            return Certname(text)
        if kind == "KeyType":
            return _key_type(text)
        if kind == "timedelta":
            return parse_duration(text)
        if kind == "bool":
            return _boolean(text)
        if kind.startswith("tuple"):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return int(text) if kind == "int" else text


def _key_type(text: str) -> KeyType:
    if text not in ("rsa", "ec"):
        raise ParseError(f"{text!r} is neither rsa nor ec")
    return "rsa" if text == "rsa" else "ec"


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ParseError(f"{text!r} is neither true nor false")
    return text.lower() == "true"
