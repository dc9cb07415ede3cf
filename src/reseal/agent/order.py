"""In which order the resources of a catalog are applied, and who refreshes whom.

What a container relates to, or relates with, is everything in it; a file comes after
the directory it lies in.  What the relations leave open stays in the catalog's order.

Sources: Puppet 8, `graph/relationship_graph.rb`, `type/file.rb` (autorequire),
`graph/sequential_prioritizer.rb` (manifest order); messages of `simple_graph.rb`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reseal.agent.catalog import (
    CONTAINERS,
    BadCatalog,
    Catalog,
    Declared,
    aliases,
    parse_name,
)
from reseal.agent.resources.model import Name

_AFTER = ("require", "subscribe")
_REFRESHING = ("notify", "subscribe")
RELATIONS = ("before", "notify", "require", "subscribe")


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a catalog's resources.

    Attributes:
        resources: Without containers, each after all it depends on.
        needs: A resource's name to those that must not fail before it.
        refreshes: A resource's name to those that are told when it changes.
    """

    resources: tuple[Declared, ...]
    needs: Mapping[Name, frozenset[Name]]
    refreshes: Mapping[Name, tuple[Name, ...]]


def order_of(catalog: Catalog) -> Order:
    """Return the order of a catalog.

    Raises:
        BadCatalog: A relation leads nowhere, or relations form a circle.
    """
    inside = _inside(catalog)
    known = {each.name: each for each in catalog.resources}
    meant = {alias: e.name for e in catalog.resources for alias in aliases(e)}
    meant.update((name, name) for name in known)
    leaves = [e for e in catalog.resources if e.name.kind not in CONTAINERS]
    needs: dict[Name, set[Name]] = {e.name: set() for e in leaves}
    told: dict[Name, dict[Name, None]] = {e.name: {} for e in leaves}
    for each in catalog.resources:
        for relation, text in _relations(each):
            other = _meant(text, each, meant)
            first, then = (
                (other, each.name) if relation in _AFTER else (each.name, other)
            )
            for one in inside.get(first, [first]):
                for two in inside.get(then, [then]):
                    needs[two].add(one)
                    if relation in _REFRESHING:
                        told[one][two] = None
    for each in leaves:
        parent = _parent(each.name, needs) if each.name.kind == "File" else None
        if parent is not None and each.name not in needs[parent]:
            needs[each.name].add(parent)
    return Order(
        tuple(_sorted(leaves, needs)),
        {name: frozenset(found) for name, found in needs.items()},
        {name: tuple(found) for name, found in told.items()},
    )


def _inside(catalog: Catalog) -> dict[Name, list[Name]]:
    """Return what lies in each container, at any depth."""
    found: dict[Name, list[Name]] = {
        e.name: [] for e in catalog.resources if e.name.kind in CONTAINERS
    }
    for each in catalog.resources:
        if each.name.kind in CONTAINERS:
            continue
        at, seen = catalog.parents.get(each.name), set[Name]()
        while at is not None and at not in seen:
            seen.add(at)
            found.setdefault(at, []).append(each.name)
            at = catalog.parents.get(at)
    return found


def _relations(declared: Declared) -> Iterator[tuple[str, str]]:
    for relation in RELATIONS:
        said = declared.parameters.get(relation)
        for each in said if isinstance(said, list) else [said] if said else []:
            yield relation, str(each)


def _meant(text: str, by: Declared, meant: Mapping[Name, Name]) -> Name:
    try:
        wanted = parse_name(text)
    except ValueError as error:
        raise BadCatalog(f"{by.name}: {error}") from None
    if wanted not in meant:
        raise BadCatalog(f"Could not find dependency {wanted} for {by.name}")
    return meant[wanted]


def _parent(name: Name, known: Mapping[Name, object]) -> Name | None:
    """Return the nearest directory above a file that is a resource too."""
    path = name.title
    while "/" in path.strip("/"):
        path = path.rpartition("/")[0]
        if (found := Name("File", path)) in known:
            return found
    return None


def _sorted(
    leaves: list[Declared], needs: Mapping[Name, set[Name]]
) -> Iterator[Declared]:
    place = {each.name: number for number, each in enumerate(leaves)}
    left = {name: len(found) for name, found in needs.items()}
    after: dict[Name, list[Name]] = {name: [] for name in needs}
    for name, found in needs.items():
        for one in found:
            after[one].append(name)
    ready = [place[name] for name, count in left.items() if count == 0]
    heapq.heapify(ready)
    done = 0
    while ready:
        each = leaves[heapq.heappop(ready)]
        done += 1
        yield each
        for name in after[each.name]:
            left[name] -= 1
            if left[name] == 0:
                heapq.heappush(ready, place[name])
    if done != len(leaves):
        raise BadCatalog(_circle({n: f for n, f in needs.items() if left[n]}))


def _circle(needs: Mapping[Name, set[Name]]) -> str:
    """Return Puppet's message about resources that wait for each other."""
    at = next(iter(needs))
    way: list[Name] = []
    while at not in way:
        way.append(at)
        at = next(one for one in sorted(needs[at], key=str) if one in needs)
    circle = [*reversed(way[way.index(at) :])]
    shown = " => ".join(str(name) for name in (*circle, circle[0]))
    return f"Found 1 dependency cycle:\n({shown})"
