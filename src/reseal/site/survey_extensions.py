"""Find services that keep copies, and what their copies hold.

Guarantee: where copies are is what the service's own configuration says; nothing of
it that is secret leaves the node, and of private keys only the public halves do.

Sources: `node/survey_extensions.sh`, `node/survey_copies.sh`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from shlex import quote

from reseal.extensions.declared import presets
from reseal.extensions.protocol import Extension, Material
from reseal.extensions.settings import settings_of
from reseal.site.facts import (
    CopyFacts,
    DoorFacts,
    ExtensionFacts,
    Fault,
    NodeFacts,
)
from reseal.site.survey_parse import (
    certificates,
    crl_facts,
    key_line,
    load_many,
    reading,
    services,
)
from reseal.site.survey_script import Sections, look, source
from reseal.site.transport import Transport
from reseal.x509 import bundle, keys

_OWN = ("hostcert", "hostprivkey", "localcacert", "hostcrl", "cacert", "cacrl")
_BITS = "rwxrwxrwx"

Place = tuple[tuple[Material, ...], str]
"""What a copy holds, and its path."""


def wanted(declared: Iterable[Extension], node: str) -> tuple[Extension, ...]:
    """Return the extensions that a node may have: those of reseal, then its own."""
    own = tuple(each for each in declared if node in each.nodes)
    return presets() + own


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
    places = [place for each in found for place in _places(each, sections)]
    if not places:
        return (), []
    copies, faults = await read_copies(node, transport, places)
    return tuple(_extensions(found, sections, copies)), faults


async def read_copies(
    node: NodeFacts, transport: Transport, places: Sequence[Place]
) -> tuple[list[CopyFacts], list[Fault]]:
    """Return what lies at these places, in their order, and what cannot be read."""
    words = (("key" if "key" in holds else "open", path) for holds, path in places)
    told = await look(transport, "copies", *(word for pair in words for word in pair))
    faults: list[Fault] = []
    copies = [_copy(node, *each, n, told, faults) for n, each in enumerate(places)]
    return copies, faults


def _places(extension: Extension, sections: Sections) -> Iterator[Place]:
    """Yield the copies of an extension that its configuration, or its rule, names."""
    settings = _settings(extension, sections)
    for rule in extension.copies:
        path = rule.path or settings.get(rule.setting, "")
        if path.startswith("/"):
            yield rule.holds, path


def _settings(extension: Extension, sections: Sections) -> dict[str, str]:
    text = sections.text(f"config {extension.name}")
    return dict(settings_of(text, extension.settings))


def _extensions(
    found: Sequence[Extension], sections: Sections, copies: Sequence[CopyFacts]
) -> Iterator[ExtensionFacts]:
    rest = iter(copies)
    for each in found:
        settings, door = _settings(each, sections), None
        if each.door is not None:
            told = settings.get(each.door.port_setting, "")
            port = int(told) if told.isdecimal() and len(told) < 6 else each.door.port
            door = DoorFacts(port, each.door.path)
        yield ExtensionFacts(
            name=each.name,
            title=each.title,
            services=services(sections, f"services {each.name}"),
            copies=tuple(next(rest) for _ in _places(each, sections)),
            door=door,
            first=each.first,
        )


def _copy(
    node: NodeFacts,
    holds: tuple[Material, ...],
    path: str,
    number: int,
    told: Sections,
    faults: list[Fault],
) -> CopyFacts:
    place, real = (*told.lines(f"place {number}"), path, path)[:2]
    status = told.rows(f"status {number}")
    own = _is_own(node, real)
    found = CopyFacts(
        holds=holds,
        path=real if own else place,
        own=own,
        there=bool(status),
        link="" if own or real == place else real,
    )
    if not status:
        return found
    section = f"open {number}"
    if "key" in holds:
        section = f"beside {number}"
        _, public = key_line(told, faults, f"public {number}")
        key = keys.key_fingerprint(public) if public is not None else None
        found = replace(found, key=key)
    listed, certified = "crl" in holds, {"certificate", "ca"} & {*holds}
    read = reading(faults, section, told, load_many) if certified else None
    crls = reading(faults, section, told, bundle.load_crls) if listed else None
    return replace(
        found,
        owner=status[0][1] if len(status[0]) > 1 else "",
        mode=_octal(status[0][0]),
        certificates=certificates(read),
        crls=crl_facts(crls),
    )


def _is_own(node: NodeFacts, path: str) -> bool:
    """Tell whether a path is Puppet's own file, or lies in the SSL directory."""
    inside = posixpath.join(node.settings.get("ssldir") or "/nowhere", "")
    own = {node.settings[name] for name in _OWN if node.settings.get(name)}
    return path.startswith(inside) or path in own


def _octal(text: str) -> str:
    """Return what `ls` tells of a mode as octal digits."""
    bits = text[1 : 1 + len(_BITS)].ljust(len(_BITS), "-")
    number = 0
    for letter, wanted_letter in zip(bits, _BITS, strict=True):
        number = number * 2 + (letter in (wanted_letter, "s", "t"))
    return f"{number:04o}"
