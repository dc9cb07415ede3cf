"""Find services that keep copies, and what their copies hold.

Guarantee: where copies are is what the service's own configuration says; nothing of
it that is secret leaves the node, and of private keys only the public halves do.

Sources: `node/survey_extensions.sh`, `node/survey_copies.sh`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from reseal.extensions.declared import presets
from reseal.extensions.protocol import Extension, Format, Material
from reseal.extensions.settings import Setting, settings_of
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

_BITS = "rwxrwxrwx"

_ALIAS = re.compile(r"^Alias name: (.*)$", re.MULTILINE)
_ENTRY = re.compile(r"^Entry type: (\w+)$", re.MULTILINE)
_JKS = "feedfeed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is looked for.

    Attributes:
        holds, format: What, and how.
        optional: It need not be there.
        path: Its path.
        password: Where a key store's password stands: file and setting.
    """

    holds: tuple[Material, ...]
    path: str
    format: Format = "pem"
    password: tuple[str, str] | None = None
    optional: bool = False

    @property
    def words(self) -> tuple[str, str, str, str]:
        """What the script `copies` is told of it."""
        kind = "key" if "key" in self.holds else "open"
        kind = "java" if self.format == "java" else kind
        return (kind, self.path, *(self.password or ("", "")))


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
    """Find copies whose place nothing tells; a service of reseal's may have none."""
    for each in found:
        settings = _settings(each, sections)
        lost = [
            rule.setting
            for rule in each.copies
            if rule.setting and rule.setting not in settings and not rule.optional
        ]
        if lost and (each.nodes or len(lost) < len(each.copies)):
            message = f"{each.title}: its configuration has no {', '.join(lost)}"
            yield Fault("fault", message, f"--skip {each.name}, or say where it is")


async def read_copies(
    node: NodeFacts, transport: Transport, places: Sequence[Place]
) -> tuple[list[CopyFacts], list[Fault]]:
    """Return what lies at these places, in their order, and what cannot be read."""
    if not places:
        return [], []
    words = (word for each in places for word in each.words)
    told = await look(transport, "copies", *words)
    faults: list[Fault] = []
    copies = [_copy(node, each, n, told, faults) for n, each in enumerate(places)]
    return copies, faults


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


def _copy(
    node: NodeFacts, at: Place, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    place, real = (*told.lines(f"place {number}"), at.path, at.path)[:2]
    status = told.rows(f"status {number}")
    own = at.format == "pem" and _is_own(node, real, at.holds)
    found = CopyFacts(
        holds=at.holds,
        format=at.format,
        password=at.password,
        path=real if own else place,
        own=own,
        there=bool(status),
        link="" if own or real == place else real,
        cleared=not own and _is_cleared(node, place),
    )
    if not status:
        return found
    owner = status[0][1] if len(status[0]) > 1 else ""
    found = replace(found, owner=owner, mode=_octal(status[0][0]))
    fill = _of_store if at.format == "java" else _of_pem
    return fill(found, number, told, faults)


def _of_pem(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with what it holds as PEM."""
    holds, section = {*copy.holds}, f"blocks {number}"
    if "key" in holds:
        _, public = key_line(told, faults, f"public {number}", copy.path)
        key = keys.key_fingerprint(public) if public is not None else None
        copy = replace(copy, key=key)
    certified, listed = {"certificate", "ca"} & holds, "crl" in holds
    load = bundle.load_crls
    read = crls = None
    if certified:
        read = reading(faults, section, told, load_many, copy.path)
    if listed:
        crls = reading(faults, section, told, load, copy.path)
    return replace(
        copy,
        certificates=certificates(read),
        crls=crl_facts(crls),
        keys=told.number(f"secrets {number}"),
    )


def _of_store(
    copy: CopyFacts, number: int, told: Sections, faults: list[Fault]
) -> CopyFacts:
    """Return a copy with what `keytool -list -rfc` tells of a key store."""
    text = told.text(f"store {number}")
    if not _ENTRY.search(text):
        said = (text.splitlines() or ["nothing"])[0]
        message = f"{copy.path}: the key store cannot be read: {said}"
        faults.append(Fault("warning", message, "correct its password, or remove it"))
        return copy
    read = reading(faults, f"store {number}", told, load_many, copy.path)
    found = certificates(read)
    entries = list(zip(_ALIAS.findall(text), _ENTRY.findall(text), strict=False))
    aliases = [alias for alias, kind in entries if kind == "PrivateKeyEntry"]
    return replace(
        copy,
        certificates=found,
        key=found[0].key_fingerprint if aliases and found else None,
        alias=aliases[0].strip() if aliases else "",
        jks=told.text(f"kind {number}") == _JKS,
    )


def _is_own(node: NodeFacts, path: str, holds: tuple[Material, ...]) -> bool:
    """Tell whether a path is the very file where Puppet has that material itself."""
    own = {
        "certificate": ("hostcert",),
        "key": ("hostprivkey",),
        "ca": ("localcacert", "cacert"),
        "crl": ("hostcrl", "cacrl"),
    }
    settings = [node.settings.get(name) for name in own[holds[0]]]
    cadir = node.server.cadir if node.server else None
    if cadir is not None:
        name = {"ca": "ca_crt.pem", "crl": "ca_crl.pem"}.get(holds[0], "")
        settings.append(posixpath.join(cadir, name))
    return len(holds) == 1 and path in settings


def _is_cleared(node: NodeFacts, path: str) -> bool:
    """Tell whether a path lies in a directory that a run clears or replaces."""
    directories = [node.settings.get("ssldir")]
    directories += [node.server.cadir] if node.server else []
    found = [posixpath.join(each, "") for each in directories if each]
    return any(path.startswith(each) for each in found)


def _octal(text: str) -> str:
    """Return what `ls` tells of a mode as octal digits."""
    bits = text[1 : 1 + len(_BITS)].ljust(len(_BITS), "-")
    number = 0
    for letter, wanted_letter in zip(bits, _BITS, strict=True):
        number = number * 2 + (letter in (wanted_letter, "s", "t"))
    return f"{number:04o}"
