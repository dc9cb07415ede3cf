"""Find services that keep copies, and what their copies hold.

Guarantee: where copies are is what the service's own configuration says; nothing of
it that is secret leaves the node, and of private keys only the public halves do.

Sources: `node/survey_extensions.sh`, `node/survey_copies.sh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote

from reseal.extensions.declared import presets
from reseal.extensions.protocol import Extension
from reseal.extensions.settings import Setting, every_setting, settings_of
from reseal.site.facts import (
    CopyFacts,
    DoorFacts,
    ExtensionFacts,
    Fault,
    NodeFacts,
)
from reseal.site.survey_copies import Place, read_copies
from reseal.site.survey_parse import services
from reseal.site.survey_script import Sections, source
from reseal.site.transport import Transport


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
        names = "|".join(name.replace(".", "[.]") for name in each.settings) or "-"
        words = (each.name, " ".join(each.services), names)
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
    faults = [*_absent(extensions, found), *_unsettled(found, sections)]
    places = [place for each in found for place in _places(each, sections)]
    copies, more = await read_copies(node, transport, places)
    return tuple(_extensions(found, sections, copies)), faults + more


def _absent(
    extensions: Iterable[Extension], found: Sequence[Extension]
) -> Iterator[Fault]:
    """Find what a site says is on the node, and is not."""
    for each in extensions:
        if each.nodes and each not in found:
            message = f"{each.title}: no service of it is known: {each.services[0]}"
            yield Fault("fault", message, f"correct extension.{each.name} in the file")


def _unsettled(found: Sequence[Extension], sections: Sections) -> Iterator[Fault]:
    """Find copies whose place nothing tells, or too much; a preset's may have none."""
    for each in found:
        remedy = f"--skip {each.name}, or say where it is"
        told = every_setting(sections.text(f"config {each.name}"), each.settings)
        required = [r.setting for r in each.copies if r.setting and not r.optional]
        lost = [name for name in required if name not in told]
        if lost and (each.nodes or len(lost) < len(required)):
            message = f"{each.title}: its configuration has no {', '.join(lost)}"
            yield Fault("fault", message, remedy)
        for name in (rule.setting for rule in each.copies if rule.setting in told):
            values = {setting.path: setting.file for setting in told[name]}
            if len(values) > 1:
                several = " and ".join(values)
                message = f"{each.title}: {name} is said to be {several}"
                yield Fault("fault", message, f"declare each, with --skip {each.name}")


def _places(extension: Extension, sections: Sections) -> Iterator[Place]:
    """Yield the copies of an extension that its configuration, or its rule, names."""
    settings = _settings(extension, sections)
    for rule in extension.copies:
        told = settings.get(rule.setting)
        path, password = rule.path or (told.path if told else ""), None
        if rule.password_setting and told is not None:
            password = told.file, rule.password_setting
        if path.startswith("/"):
            yield Place(rule.holds, path, rule.format, password, optional=rule.optional)


def _settings(extension: Extension, sections: Sections) -> Mapping[str, Setting]:
    text = sections.text(f"config {extension.name}")
    return settings_of(text, extension.settings)


def _extensions(
    found: Sequence[Extension], sections: Sections, copies: Sequence[CopyFacts]
) -> Iterator[ExtensionFacts]:
    rest = iter(copies)
    for each in found:
        if not [*_places(each, sections)]:
            continue
        settings, door, rule = _settings(each, sections), None, each.door
        if rule is not None:
            told = settings.get(rule.port_setting, Setting("")).value
            port = int(told) if told.isdecimal() and len(told) < 6 else rule.port
            door = DoorFacts(
                port,
                rule.path,
                rule.say,
                rule.answer,
                client=rule.client,
                address=rule.address,
            )
        yield ExtensionFacts(
            name=each.name,
            title=each.title,
            services=services(sections, f"services {each.name}"),
            copies=tuple(_wanted_copies(each, sections, rest)),
            door=door,
            first=each.first,
        )


def _wanted_copies(
    extension: Extension, sections: Sections, rest: Iterator[CopyFacts]
) -> Iterator[CopyFacts]:
    """Yield an extension's copies, but for optional ones that are not there."""
    for place, copy in zip(_places(extension, sections), rest, strict=False):
        if copy.there or not place.optional:
            yield copy
