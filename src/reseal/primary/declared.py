"""Resources as the files of a catalog folder declare them.

    resources:
      file:
        /etc/motd:
          content: "hello\\n"
          mode: "0644"
      service:
        ssh: {ensure: running, subscribe: "File[/etc/motd]"}

Sources: Puppet's language (names of types and parameters, references to resources);
docs/reference/catalogs.md (the format).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reseal.primary.types import RELATIONS, key_of, unknown_parameter
from reseal.primary.yamlfile import Item, Pairs, Sheet

_TYPE = re.compile(r"(?:::)?([a-z]\w*(?:::[a-z]\w*)*)", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r"[a-z]\w*", re.ASCII)
_REFERENCE = re.compile(r"((?:[A-Z]\w*)(?:::[A-Z]\w*)*)\[(.+)\]", re.ASCII | re.DOTALL)

_NOT_DECLARED = ("class", "node", "stage")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path} line {self.line}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource as others name it; both parts are as Puppet writes them."""

    kind: str
    title: str

    def __str__(self) -> str:
        return f"{self.kind}[{self.title}]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of a resource, and where it is said; None takes the parameter away."""

    value: object
    place: Place


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource of one file, or what several files say of it together.

    Attributes:
        name: Its reference.
        parameters: In the order of the file.
        place: Where it is declared first.
    """

    name: Reference
    parameters: dict[str, Parameter]
    place: Place

    def onto(self, below: Declared) -> Declared:
        """Return what holds when this is said after `below`."""
        merged = {**below.parameters, **self.parameters}
        return Declared(self.name, merged, below.place)

    def plain(self) -> dict[str, object]:
        """Return the parameters there are, as a catalog has them."""
        return {k: p.value for k, p in self.parameters.items() if p.value is not None}

    def key(self) -> tuple[str, str]:
        """Return what two resources may not have in common: the thing they are."""
        kind = self.name.kind.lower()
        said = self.parameters.get(key_of(kind) or "")
        named = said.value if said and said.value is not None else self.name.title
        return self.name.kind, str(named).rstrip("/") if kind == "file" else str(named)

    def relations(self) -> Iterator[tuple[str, Reference, Place]]:
        """Yield relation, other resource and where it is said."""
        for relation in RELATIONS:
            said = self.parameters.get(relation)
            if said is None or said.value is None:
                continue
            values = said.value if isinstance(said.value, list) else [said.value]
            for value in values:
                yield relation, parse_reference(str(value)), said.place


def parse_reference(text: str) -> Reference:
    """Read `Type[title]`; ValueError for anything else."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    kind, title = found[1], found[2]
    if title[0] == title[-1] and title[0] in "'\"" and len(title) > 2:
        title = title[1:-1]
    return Reference(_capitalised(kind), title)


def read_resources(sheet: Sheet, item: Item | None) -> dict[Reference, Declared]:
    """Return what `resources` of a file declares; faults go to the sheet."""
    found: dict[Reference, Declared] = {}
    for kind, line, titles in pairs(sheet, item, "resources: must map types to titles"):
        named = _TYPE.fullmatch(kind)
        if named is None or named[1].lower() in _NOT_DECLARED:
            sheet.fault(line, f"{kind}: is no type of resource")
            continue
        what = f"{kind}: must map titles to parameters"
        for title, at, parameters in pairs(sheet, titles, what):
            name = Reference(_capitalised(named[1]), title)
            place = Place(sheet.path, at)
            values = _parameters(sheet, name, parameters)
            found[name] = Declared(name, values, place)
    return found


def _parameters(sheet: Sheet, name: Reference, item: Item) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    what = f"{name}: must map parameters to values"
    for parameter, line, value in pairs(sheet, item, what):
        if not _PARAMETER.fullmatch(parameter):
            sheet.fault(line, f"{name}: {parameter!r} is no name of a parameter")
            continue
        wrong = unknown_parameter(name.kind.lower(), parameter)
        wrong = wrong or _wrong_value(parameter, value)
        if wrong is not None:
            sheet.fault(line, f"{name}: {wrong}")
            continue
        found[parameter] = Parameter(value.plain(), Place(sheet.path, value.line))
    return found


def _wrong_value(parameter: str, item: Item) -> str | None:
    """Return what is wrong with a value that is wrong in every type."""
    if parameter == "mode" and isinstance(item.value, (int, float)):
        return f"mode: {item.value} is a number; put it in quotes"
    if parameter not in RELATIONS or item.value is None:
        return None
    listed = item.value if isinstance(item.value, list) else [item]
    for each in listed:
        try:
            parse_reference(each.value if isinstance(each.value, str) else "")
        except ValueError:
            said = each.plain()
            return f"{parameter}: {said!r} is no reference like Service[nginx]"
    return None


def pairs(
    sheet: Sheet, item: Item | None, what: str
) -> Iterator[tuple[str, int, Item]]:
    """Yield key, its line and value of a mapping; nothing where nothing is said."""
    if item is None or item.value is None:
        return
    if isinstance(item.value, Pairs):
        yield from item.value.rows
    else:
        sheet.fault(item.line, what)


def _capitalised(kind: str) -> str:
    return "::".join(part.capitalize() for part in kind.lower().split("::"))
