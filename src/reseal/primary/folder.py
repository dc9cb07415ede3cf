"""A folder of YAML files that say what each node is to be.

    default.yaml        what every node gets
    groups/NAME.yaml    what the nodes of a group get, and which they are
    nodes/NAME.yaml     what one node gets
    modules/            files, plugins and facts, as Puppet's modules have them

Default, groups in the order of their names, node: what is said later goes before what
was said earlier, parameter by parameter.

Sources: docs/reference/catalogs.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from reseal import files, folders
from reseal.primary.declared import Declared, Reference, pairs, read_resources
from reseal.primary.yamlfile import Item, Sheet, read_sheet

_CLASS = re.compile(r"[a-z]\w*(::[a-z]\w*)*", re.ASCII)
_KEYS = {
    "default": ("classes", "resources"),
    "group": ("nodes", "classes", "resources"),
    "node": ("groups", "classes", "resources"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one file says.

    Attributes:
        name: Of the group or node; empty for the default.
        sheet: The file, and what is wrong with it.
        resources: What it declares.
        classes: Names that nodes keep as the classes they have.
        nodes: Of a group: names, or patterns with `*` and `?`.
        groups: Of a node: names, each with its line.
    """

    name: str
    sheet: Sheet
    resources: dict[Reference, Declared]
    classes: tuple[str, ...]
    nodes: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """Everything the files say.

    Attributes:
        default: What every node gets.
        groups: By name, sorted.
        nodes: By name.
    """

    default: Part | None
    groups: dict[str, Part]
    nodes: dict[str, Part]

    def parts_of(self, certname: str) -> list[Part]:
        """Return what holds for a node, in order."""
        own = self.nodes.get(certname)
        named = {group for group, _ in own.groups} if own else set()
        groups = [
            part
            for name, part in self.groups.items()
            if name in named or any(fnmatchcase(certname, p) for p in part.nodes)
        ]
        return [part for part in (self.default, *groups, own) if part is not None]

    def sheets(self) -> list[Sheet]:
        """Return every file there is."""
        parts = (self.default, *self.groups.values(), *self.nodes.values())
        return [part.sheet for part in parts if part is not None]


def read_folder(root: Path) -> Folder:
    """Read a folder; what is wrong with a file is noted on its sheet.

    Raises:
        NotFound: There is no such folder.
        StoreError: A file cannot be read.
    """
    files.stamp(root)
    path = root / "default.yaml"
    default = _part("default", "", path) if path.exists() else None
    folder = Folder(
        default,
        {name: _part("group", name, path) for name, path in _yaml(root / "groups")},
        {name: _part("node", name, path) for name, path in _yaml(root / "nodes")},
    )
    for part in folder.nodes.values():
        for group, line in part.groups:
            if group not in folder.groups:
                part.sheet.fault(line, f"groups: there is no groups/{group}.yaml")
    return folder


def stamp_of(root: Path) -> tuple[tuple[str, files.Stamp], ...]:
    """Return what changes when a file of the folder does."""
    found = [
        (f"{directory}/{name}", stamp)
        for directory in ("", "groups", "nodes")
        for name, stamp in folders.stamps_in(root / directory, ".yaml")
    ]
    return tuple(sorted(found))


def _yaml(directory: Path) -> Iterator[tuple[str, Path]]:
    for name in folders.names_in(directory, ".yaml"):
        if not name.startswith("."):
            yield name, directory / f"{name}.yaml"


def _part(kind: str, name: str, path: Path) -> Part:
    sheet = read_sheet(path)
    taken: dict[str, Item] = {}
    what = f"must be a mapping with {', '.join(_KEYS[kind])}"
    for key, line, item in pairs(sheet, sheet.top, what):
        if key in _KEYS[kind]:
            taken[key] = item
        else:
            known = ", ".join(_KEYS[kind])
            sheet.fault(line, f"{key}: unknown key; known are {known}")
    classes = [text for text, _ in _texts(sheet, "classes", taken.get("classes"))]
    for text, line in _texts(sheet, "classes", taken.get("classes")):
        if not _CLASS.fullmatch(text):
            sheet.fault(line, f"classes: {text!r} is no name of a class")
    return Part(
        name,
        sheet,
        read_resources(sheet, taken.get("resources")),
        tuple(classes),
        tuple(text for text, _ in _texts(sheet, "nodes", taken.get("nodes"))),
        tuple(_texts(sheet, "groups", taken.get("groups"))),
    )


def _texts(sheet: Sheet, key: str, item: Item | None) -> list[tuple[str, int]]:
    """Return the texts of a list with their lines; one text is a list of one."""
    if item is None or item.value is None:
        return []
    listed: Iterable[Item] = item.value if isinstance(item.value, list) else [item]
    found: list[tuple[str, int]] = []
    for each in listed:
        if isinstance(each.value, str) and each.value:
            found.append((each.value, each.line))
        else:
            sheet.fault(each.line, f"{key}: must be a list of texts")
    return found
