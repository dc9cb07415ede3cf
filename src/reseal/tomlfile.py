"""A TOML file read strictly: every fault names its line, and all come at once.

A key nobody asked for is a fault, and so is a value of the wrong type: a misspelt
`role` must not turn a CA's host into an agent.  Python's TOML reader keeps no line
numbers, so they are found again in the text, where headers and keys begin lines.

Sources: TOML 1.0 (tables, arrays of tables, multi-line strings); `tomllib`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from reseal import durations
from reseal.errors import ParseError, SettingsError
from reseal.files import read

_BARE = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_BARE}(?:\s*\.\s*{_BARE})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PATH})\s*\]")
_KEY = re.compile(rf"\s*({_PATH})\s*=")
_LINE = re.compile(r"at line (\d+)")

Place = tuple[str | int, ...]
"""Where something stands: `("node", 0, "address")`."""


class Faults:
    """What is wrong with one file, gathered to be told at once.

    Attributes:
        path: The file.
        hint: Where its format is described.
    """

    def __init__(self, path: Path, hint: str) -> None:
        self.path = path
        self.hint = hint
        self.found: list[tuple[int, str]] = []

    def add(self, line: int, message: str) -> None:
        """Note a fault of one line."""
        self.found.append((line, message))

    def check(self) -> None:
        """Raise SettingsError with every fault, in the file's order."""
        if self.found:
            raise SettingsError(str(self.path), self.texts(), hint=self.hint)

    def texts(self) -> list[str]:
        """Return every fault with its line, in the file's order."""
        return [f"line {line}: {text}" for line, text in sorted(self.found)]


class Table:
    """One table of the file; a key that is not taken is a fault.

    Attributes:
        faults: Where faults go.
        place: The table's own place.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        place: Place,
        lines: Mapping[Place, int],
        faults: Faults,
    ) -> None:
        self.place = place
        self.faults = faults
        self._rest = dict(values)
        self._lines = lines

    def line(self, key: str | None = None) -> int:
        """Return the line of `key`, or of the table's header."""
        place = self.place if key is None else (*self.place, key)
        while place not in self._lines and place:
            place = place[:-1]
        return self._lines.get(place, 1)

    def fault(self, message: str, key: str | None = None) -> None:
        """Note a fault at `key`, or at the table's header."""
        self.faults.add(self.line(key), message)

    def names(self) -> tuple[str, ...]:
        """Return the keys not yet taken."""
        return tuple(self._rest)

    def string(self, key: str) -> str | None:
        """Take a string that is not empty; None without one."""
        value = self._rest.pop(key, None)
        if value is None or (isinstance(value, str) and value):
            return value
        self.fault(f"{key}: must be a string", key)
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """Take a whole number from `low` to `high`; None without one."""
        value = self._rest.pop(key, None)
        if value is None:
            return None
        if type(value) is int and low <= value <= high:
            return value
        self.fault(f"{key}: must be a whole number from {low} to {high}", key)
        return None

    def boolean(self, key: str) -> bool | None:
        """Take true or false; None without one."""
        value = self._rest.pop(key, None)
        if value is None or isinstance(value, bool):
            return value
        self.fault(f"{key}: must be true or false", key)
        return None

    def duration(self, key: str) -> timedelta | None:
        """Take a duration in Puppet's form, or a number of seconds."""
        value = self._rest.pop(key, None)
        if value is None:
            return None
        try:
            if type(value) is int or isinstance(value, str):
                return durations.parse(str(value))
        except ParseError:
            pass
        self.fault(f'{key}: must be a duration, like "30s" or "90d"', key)
        return None

    def strings(self, key: str) -> tuple[str, ...] | None:
        """Take a list of strings; a single string stands for a list of one."""
        value = self._rest.pop(key, None)
        if value is None:
            return None
        found = [value] if isinstance(value, str) else value
        if isinstance(found, list) and all(isinstance(v, str) and v for v in found):
            return tuple(found)
        self.fault(f"{key}: must be a list of strings", key)
        return None

    def choice(self, key: str, allowed: tuple[str, ...]) -> str | None:
        """Take one of some words; None without one."""
        value = self.string(key)
        if value is None or value in allowed:
            return value
        self.fault(f"{key}: {value!r} is not one of {', '.join(allowed)}", key)
        return None

    def table(self, key: str) -> Table:
        """Take a table; an empty one without it."""
        value = self._rest.pop(key, {})
        if not isinstance(value, dict):
            self.fault(f"{key}: must be a table: [{key}]", key)
            value = {}
        return Table(value, (*self.place, key), self._lines, self.faults)

    def tables(self, key: str) -> Iterator[Table]:
        """Take an array of tables: `[[key]]`."""
        value = self._rest.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            self.fault(f"{key}: must be an array of tables: [[{key}]]", key)
            return
        for index, item in enumerate(value):
            yield Table(item, (*self.place, key, index), self._lines, self.faults)

    def done(self, known: tuple[str, ...]) -> None:
        """Report what nobody took.

        Args:
            known: The keys this table may have, for the message.
        """
        for key in self._rest:
            self.fault(f"{key}: unknown key; known are {', '.join(known)}", key)


def open_toml(path: Path, *, hint: str) -> Table:
    """Return a file's top table.

    Args:
        path: The file.
        hint: Where its format is described, to be told with its faults.

    Raises:
        SettingsError: It is not TOML, or not UTF-8.
        StoreError: It cannot be read.
    """
    faults = Faults(path, hint)
    try:
        text = read(path).decode()
        values = tomllib.loads(text)
    except UnicodeDecodeError:
        raise SettingsError(str(path), ["line 1: not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        message = f"line {line}: not TOML: {str(error)[0].lower()}{str(error)[1:]}"
        raise SettingsError(str(path), [message]) from None
    return Table(values, (), dict(_places(text)), faults)


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Yield where each header and key stands; keys inside strings are left out."""
    table: Place = ()
    counts: dict[Place, int] = {}
    quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not quote:
            if header := _HEADER.match(line):
                table = _names(header[2])
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                yield table, number
            elif key := _KEY.match(line):
                yield (*table, *_names(key[1])), number
        quote = _open_quote(line, quote)


def _names(path: str) -> Place:
    return tuple(name.strip("\"'") for name in re.findall(_BARE, path))


def _open_quote(line: str, quote: str) -> str:
    """Return the multi-line quote that is open after a line, or nothing."""
    for found in re.findall(r'"""|\'\'\'', line):
        if not quote:
            quote = found
        elif found == quote:
            quote = ""
    return quote
