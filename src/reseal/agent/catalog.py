"""A catalog as a node reads it: resources, and what contains them.

Sources: Puppet 8, `resource/catalog.rb`, `resource.rb` (the document); `type.rb`
(`path`: how a resource's place is told).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reseal.agent.resources.model import Name, text_of
from reseal.errors import ResealError

CONTAINERS = ("Class", "Stage", "Node")
_KEY = {"File": "path", "Exec": "command", "Tidy": "path"}


class BadCatalog(ResealError):
    """A catalog cannot be read, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource of a catalog.

    Attributes:
        name: Its reference.
        parameters: As the catalog has them.
        file, line: Where it is declared; empty and 0 for nowhere.
        tags: For the report.
        secrets: Values that must not be told.
    """

    name: Name
    parameters: Mapping[str, object]
    file: str = ""
    line: int = 0
    tags: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def hide(self, text: str) -> str:
        """Return a text without what is secret in it."""
        for each in self.secrets:
            text = text.replace(each, "[redacted]")
        return text


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a node is to be.

    Attributes:
        name: Of the node.
        version: As the log tells it.
        environment: In which it was made.
        uuid: Of the catalog, for the report.
        classes: Names for classes.txt.
        resources: In the catalog's order, containers among them.
        parents: A resource's name to that of what contains it.
        raw: As it was sent.
    """

    name: str
    version: str
    environment: str
    uuid: str
    classes: tuple[str, ...]
    resources: tuple[Declared, ...]
    parents: Mapping[Name, Name]
    raw: bytes

    def path(self, name: Name) -> str:
        """Return how a resource's place is told: `/Stage[main]/Main/File[x]`."""
        parts: list[str] = []
        at: Name | None = name
        while at is not None and len(parts) < 100:
            parts.append(_shown(at))
            at = self.parents.get(at)
        return "/" + "/".join(reversed(parts))


def parse_catalog(data: bytes) -> Catalog:
    """Read a catalog.

    Raises:
        BadCatalog: It is none; the message says why.
    """
    try:
        told = json.loads(data)
        resources = tuple(_resource(each) for each in told.get("resources", ()))
        known = {each.name for each in resources}
        parents: dict[Name, Name] = {}
        for edge in told.get("edges", ()):
            source, target = parse_name(edge["source"]), parse_name(edge["target"])
            for end, what in ((source, "source"), (target, "target")):
                if end not in known:
                    text = f'Could not find relationship {what} "{end}"'
                    raise BadCatalog(f"Could not intern from data: {text}")
            parents[target] = source
        return Catalog(
            name=str(told.get("name", "")),
            version=str(told.get("version", "")),
            environment=str(told.get("environment", "")),
            uuid=str(told.get("catalog_uuid") or ""),
            classes=tuple(map(str, told.get("classes", ()))),
            resources=_once(resources),
            parents=parents,
            raw=data,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"Could not intern from json: {str(error) or type(error).__name__}"
        raise BadCatalog(text) from None


def parse_name(text: str) -> Name:
    """Read `Type[title]`; ValueError for anything else."""
    kind, bracket, title = text.partition("[")
    if not bracket or not title.endswith("]") or not kind:
        raise ValueError(f"{text!r}: is no reference to a resource")
    return named(kind, title[:-1])


def named(kind: str, title: str) -> Name:
    """Return a name in the form in which names are compared."""
    whole = "::".join(part.capitalize() for part in kind.split("::"))
    if whole == "Class":
        title = "::".join(part.capitalize() for part in title.split("::"))
    if whole == "File" and len(title) > 1:
        title = title.rstrip("/")
    return Name(whole, title)


def _resource(told: Mapping[str, object]) -> Declared:
    parameters = told.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadCatalog(f"{told.get('type')}[{told.get('title')}]: has no parameters")
    tags = told.get("tags")
    line = told.get("line")
    return Declared(
        named(str(told["type"]), str(told["title"])),
        parameters,
        str(told.get("file") or ""),
        line if isinstance(line, int) else 0,
        tuple(map(str, tags)) if isinstance(tags, list) else (),
        tuple(_secrets(told, parameters)),
    )


def _secrets(
    told: Mapping[str, object], parameters: Mapping[str, object]
) -> Iterator[str]:
    """Yield the texts of sensitive parameters, the longest first."""
    named = told.get("sensitive_parameters")
    found: list[str] = []
    for name in named if isinstance(named, list) else ():
        value = parameters.get(str(name))
        listed = value if isinstance(value, list) else [value]
        found += [
            text_of(each) for each in listed if each not in (None, "", True, False)
        ]
    yield from sorted(found, key=len, reverse=True)


def _once(resources: tuple[Declared, ...]) -> tuple[Declared, ...]:
    seen: set[Name] = set()
    for each in resources:
        if each.name in seen:
            text = f"Duplicate declaration: {each.name} is already declared"
            raise BadCatalog(f"{text}; cannot redeclare")
        seen.add(each.name)
    return resources


def aliases(declared: Declared) -> list[Name]:
    """Return under which further names others may mean a resource."""
    found = declared.parameters.get("alias")
    listed = found if isinstance(found, list) else [found] if found else []
    kind = declared.name.kind
    if (key := declared.parameters.get(_KEY.get(kind, "name"))) is not None:
        listed = [*listed, key]
    return [named(kind, str(each)) for each in listed]


def _shown(name: Name) -> str:
    return name.title if name.kind == "Class" else str(name)
