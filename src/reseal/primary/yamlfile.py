"""A YAML file read strictly: every value keeps its line, and all faults come at once.

Plain values only: texts, numbers, truths, nothing, lists and mappings.  What YAML
would turn into something else (a date, an object, a number that begins with a zero)
is a fault, since the node would get what nobody wrote.

Sources: YAML 1.1; PyYAML, `compose` (nodes with marks).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from reseal import files

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = ("str", "int", "float", "bool", "null")
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_DEEPEST = 50

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Item:
    """A value and where it stands.

    Attributes:
        value: Plain, a list of items, or pairs of items.
        line: From 1.
    """

    value: Plain | list[Item] | Pairs
    line: int

    def plain(self) -> object:
        """Return the value without its lines, as JSON has it."""
        if isinstance(self.value, list):
            return [each.plain() for each in self.value]
        if isinstance(self.value, Pairs):
            return {key: item.plain() for key, _, item in self.value.rows}
        return self.value


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping: key, the key's line, and value, in the file's order."""

    rows: tuple[tuple[str, int, Item], ...]


@dataclass(slots=True)
class Sheet:
    """One file of YAML.

    Attributes:
        path: The file.
        faults: What is wrong with it: line and text.
        top: Its value; None when it is empty or cannot be read at all.
    """

    path: Path
    faults: list[tuple[int, str]]
    top: Item | None

    def fault(self, line: int, text: str) -> None:
        """Note a fault."""
        self.faults.append((line, text))

    def texts(self) -> list[str]:
        """Return every fault with file and line, in the file's order."""
        return [f"{self.path} line {line}: {text}" for line, text in self._sorted()]

    def _sorted(self) -> list[tuple[int, str]]:
        return sorted(set(self.faults))


def read_sheet(path: Path) -> Sheet:
    """Read a file; what is wrong with it goes to its faults.

    Raises:
        StoreError: It cannot be read.
    """
    sheet = Sheet(path, [], None)
    try:
        text = files.read(path).decode()
        node = yaml.compose(text, Loader=_LOADER)
    except UnicodeDecodeError:
        sheet.fault(1, "not UTF-8 text")
        return sheet
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        sheet.fault(mark.line + 1 if mark else 1, f"not YAML: {problem}")
        return sheet
    if node is not None:
        sheet.top = _Reader(sheet).item(node, 0)
    return sheet


class _Reader:
    """Turns nodes into items."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._construct = yaml.SafeLoader("")

    def item(self, node: yaml.Node, depth: int) -> Item:
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            self._sheet.fault(line, f"nested more than {_DEEPEST} deep, or in itself")
            return Item(None, line)
        if isinstance(node, yaml.ScalarNode):
            return Item(self._scalar(node, line), line)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(each, depth + 1) for each in node.value], line)
        return Item(Pairs(tuple(self._rows(node, depth))), line)

    def _rows(self, node: yaml.Node, depth: int) -> Iterator[tuple[str, int, Item]]:
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = self._scalar(key, line) if isinstance(key, yaml.ScalarNode) else None
            if key.tag.endswith(":merge"):
                self._sheet.fault(line, "<<: merging is not read; write the keys out")
                continue
            if name is None or name == "":
                self._sheet.fault(line, "a key must be a text")
                continue
            text = str(name).lower() if isinstance(name, bool) else str(name)
            if text in seen:
                self._sheet.fault(line, f"{text}: is there twice")
            seen.add(text)
            yield text, line, self.item(value, depth + 1)

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Plain:
        kind = node.tag.rpartition(":")[2]
        if kind not in _PLAIN:
            text = f"{node.value!r}: is taken as a {kind}; put it in quotes"
            self._sheet.fault(line, text)
            return None
        if kind == "int" and _OCTAL.fullmatch(node.value):
            text = f"{node.value}: is taken as an octal number; put it in quotes"
            self._sheet.fault(line, text)
            return None
        try:
            found: Plain = self._construct.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self._sheet.fault(line, f"{node.value!r}: {error}")
            return None
        if isinstance(found, float) and not math.isfinite(found):
            self._sheet.fault(line, f"{node.value}: is no number that JSON can hold")
            return None
        return found
