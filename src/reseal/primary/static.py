"""Catalogs from a folder of YAML files.

Guarantee: a node whose files have a mistake gets no catalog, rather than half of one;
a mistake in another node's file does not touch it.

Sources: Puppet, `resource/catalog.rb` (the document; format 1 needs no `kind`);
`graph/simple_graph.rb` (cycles); docs/reference/catalogs.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID

from reseal.errors import CatalogError, CatalogFaults, NotFound, StoreError
from reseal.fresh import Fresh
from reseal.primary.answers import dumped
from reseal.primary.declared import Declared, Reference
from reseal.primary.folder import Folder, Part, read_folder, stamp_of
from reseal.primary.protocol import Wanted
from reseal.primary.types import alike, is_known

_HINT = "find every mistake with: reseal catalog check"
_ENVIRONMENT = "production"


class StaticCatalogs:
    """Catalogs of a folder, read again as soon as a file changes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = Fresh(lambda: stamp_of(root), lambda: read_folder(root))

    def catalog(self, wanted: Wanted) -> bytes:
        try:
            folder = self._folder.get()
        except NotFound:
            raise CatalogError(f"{self.root}: there is no such folder") from None
        except StoreError as error:
            raise CatalogError(str(error)) from error
        parts = folder.parts_of(wanted.certname)
        faults = [text for part in parts for text in part.sheet.texts()]
        resources = merged(parts)
        faults = faults or list(faults_of(resources))
        if faults:
            raise CatalogFaults(wanted.certname, faults, hint=_HINT)
        return dumped(_document(wanted, parts, resources))

    def modulepath(self, environment: str) -> Sequence[Path]:
        return (self.root / "modules",)

    def environments(self) -> Sequence[str]:
        return (_ENVIRONMENT,)


def merged(parts: Sequence[Part]) -> dict[Reference, Declared]:
    """Return the resources of a node, in the order in which they were said first."""
    found: dict[Reference, Declared] = {}
    for part in parts:
        for name, declared in part.resources.items():
            found[name] = declared.onto(found[name]) if name in found else declared
    return found


def faults_of(resources: dict[Reference, Declared]) -> Iterator[str]:
    """Yield what is wrong with resources together, each with file and line."""
    keys: dict[tuple[str, str], Declared] = {}
    for declared in resources.values():
        other = keys.setdefault(declared.key(), declared)
        if other is not declared:
            yield (
                f"{declared.place}: {declared.name}: is the same as {other.name} of "
                f"{other.place}"
            )
        for relation, name, place in declared.relations():
            if name not in resources:
                yield f"{place}: {declared.name}: {relation}: there is no {name}"
    yield from _cycle(resources)


def _cycle(resources: dict[Reference, Declared]) -> Iterator[str]:
    sorter: TopologicalSorter[Reference] = TopologicalSorter()
    for declared in resources.values():
        for relation, other, _ in declared.relations():
            if relation in ("require", "subscribe"):
                sorter.add(declared.name, other)
            else:
                sorter.add(other, declared.name)
    try:
        sorter.prepare()
    except CycleError as error:
        names: list[Reference] = error.args[1]
        known = next((resources[n] for n in names if n in resources), None)
        way = " => ".join(str(name) for name in names)
        yield f"{known.place if known else '?'}: the resources wait in a circle: {way}"


@dataclass(frozen=True, slots=True)
class Review:
    """What a look through a folder finds.

    Attributes:
        nodes: How many nodes have a file of their own.
        groups: How many groups there are.
        faults: Mistakes, each with file and line.
        notes: What may be one.
    """

    nodes: int
    groups: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def review(root: Path) -> Review:
    """Look through a folder.

    Raises:
        NotFound: There is no such folder.
        StoreError: A file cannot be read.
    """
    folder = read_folder(root)
    faults = [text for sheet in folder.sheets() for text in sheet.texts()]
    found: dict[str, None] = {}
    for parts in _cases(folder):
        found |= dict.fromkeys(faults_of(merged(parts)))
    return Review(
        len(folder.nodes),
        len(folder.groups),
        (*faults, *found),
        tuple(dict.fromkeys(_notes(folder))),
    )


def _cases(folder: Folder) -> Iterator[Sequence[Part]]:
    """Yield the parts of every node that can be told from its files."""
    names = set(folder.nodes)
    yield [folder.default] if folder.default else []
    for group in folder.groups.values():
        names.update(n for n in group.nodes if not set(n) & set("*?["))
        yield [part for part in (folder.default, group) if part is not None]
    for name in sorted(names):
        yield folder.parts_of(name)


def _notes(folder: Folder) -> Iterator[str]:
    parts = (folder.default, *folder.groups.values(), *folder.nodes.values())
    for part in parts:
        for declared in part.resources.values() if part else ():
            kind = declared.name.kind.lower()
            if not is_known(kind):
                yield (
                    f"{declared.place}: {kind} is not one of Puppet's own types: nodes "
                    f"need the module that has it{alike(kind)}"
                )


def _document(
    wanted: Wanted, parts: Sequence[Part], resources: dict[Reference, Declared]
) -> dict[str, Any]:
    """Return a catalog; its version is the same as long as what it says is."""
    main = [
        {"type": "Stage", "title": "main", "parameters": {"name": "main"}},
        {"type": "Class", "title": "main", "parameters": {"name": "main"}},
    ]
    declared = [_resource(each) for each in resources.values()]
    said = hashlib.sha256(dumped(declared)).hexdigest()
    contained = [{"source": "Class[main]", "target": str(name)} for name in resources]
    return {
        "name": wanted.certname,
        "version": said[:12],
        "environment": wanted.environment,
        "catalog_format": 1,
        "catalog_uuid": str(UUID(said[:32], version=4)),
        "code_id": None,
        "tags": ["settings"],
        "classes": list(dict.fromkeys(c for part in parts for c in part.classes)),
        "resources": [{**each, "tags": [], "exported": False} for each in main]
        + declared,
        "edges": [{"source": "Stage[main]", "target": "Class[main]"}, *contained],
    }


def _resource(declared: Declared) -> dict[str, Any]:
    kind = declared.name.kind
    return {
        "type": kind,
        "title": declared.name.title,
        "tags": [kind.lower()],
        "file": str(declared.place.path),
        "line": declared.place.line,
        "exported": False,
        "parameters": declared.plain(),
    }
