"""Find services that keep copies, and what their copies hold.

Guarantee: where copies are is what the service's own configuration says; nothing of
it that is secret leaves the node, and of private keys only the public halves do.

Sources: `node/survey_extensions.sh`, `node/survey_copies.sh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from shlex import quote

from reseal.extensions.declared import presets
from reseal.extensions.protocol import Extension
from reseal.extensions.settings import Setting, every_setting
from reseal.site.copies import puppets
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.facts import Fault, NodeFacts
from reseal.site.places import last, places_of, unfolded, unsettled
from reseal.site.survey_copies import read_copies
from reseal.site.survey_parse import services
from reseal.site.survey_script import Sections, source
from reseal.site.transport import Transport

_PORT = 6
"""Digits that no port has."""


def wanted(declared: Iterable[Extension], node: str) -> tuple[Extension, ...]:
    """Return the extensions that a node may have: the site's own, then reseal's.

    A site's database goes before the PuppetDB that works with it.
    """
    own = tuple(each for each in declared if node in each.nodes)
    return own + presets()


def functions_for(extensions: Iterable[Extension]) -> str:
    """Return the shell functions with which a survey looks for extensions."""
    lines = [source("survey_extensions.sh"), "extensions() {", ":"]
    for each in extensions:
        plain = [name for name in each.settings if "?" not in name]
        names = "|".join(name.replace(".", "[.]") for name in plain) or "-"
        within = " ".join(name for name in each.settings if "?" in name)
        words = (each.name, " ".join(each.services), names, within)
        patterns = ("*".join(map(quote, path.split("*"))) for path in each.configs)
        lines.append(" ".join(["extension", *map(quote, words), *patterns]))
    return "\n".join([*lines, "}"]) + "\n"


async def extension_facts(
    node: NodeFacts,
    transport: Transport,
    sections: Sections,
    extensions: Iterable[Extension],
) -> tuple[tuple[ExtensionFacts, ...], list[Fault]]:
    """Return the extensions on a node, and the faults met on the way.

    Args:
        node: What is known of the node.
        transport: The way to it.
        sections: What the script `agent` printed.
        extensions: Those that may be there.
    """
    found = [each for each in extensions if sections.has(f"services {each.name}")]
    faults = [*_absent(extensions, found), *unsettled(found, sections)]
    told: list[ExtensionFacts] = []
    for each in found:
        named = places_of(each, sections, node.settings)
        places = await unfolded(transport, [*named])
        copies, more = await read_copies(node, transport, places)
        pairs = zip(copies, places, strict=True)
        kept = [copy for copy, place in pairs if copy.there or not place.optional]
        if each.mixed:
            kept, more = [*puppets(copies, node)], []
        faults += more
        if kept:
            told.append(_extension(each, sections, kept))
    return tuple(told), faults


def _absent(
    extensions: Iterable[Extension], found: Sequence[Extension]
) -> Iterator[Fault]:
    """Find what a site says is on the node, and is not."""
    for each in extensions:
        if each.nodes and each not in found:
            what = f"no service of it is known: {', '.join(each.services)}"
            if not each.services:
                what = f"nothing of it is there: {', '.join(each.configs)}"
            message = f"{each.title}: {what}"
            yield Fault("fault", message, f"correct extension.{each.name} in the file")


def _extension(
    each: Extension, sections: Sections, copies: Sequence[CopyFacts]
) -> ExtensionFacts:
    text = sections.text(f"config {each.name}")
    door, settings = each.door, every_setting(text, each.settings)
    if door is not None:
        told = (last(settings, door.port_setting) or Setting("")).value
        if told.isdecimal() and len(told) < _PORT:
            door = replace(door, port=int(told))
    return ExtensionFacts(
        name=each.name,
        title=each.title,
        services=services(sections, f"services {each.name}"),
        copies=tuple(copies),
        door=door,
        first=each.first,
        identity=(last(settings, each.identity_setting) or Setting("")).value,
        question=each.question,
        reload=each.reload,
    )
