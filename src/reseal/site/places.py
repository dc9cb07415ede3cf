"""Where copies are, by what services' own configuration says.

Guarantee: nothing is guessed: what a configuration does not say, or says twice, is a
fault.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reseal.extensions.protocol import CopyRule, Extension, Format, Material
from reseal.extensions.settings import Setting, every_setting
from reseal.site.facts import Fault
from reseal.site.survey_script import Sections, look
from reseal.site.transport import Transport

OWN: Mapping[Material, str] = {
    "certificate": "hostcert",
    "key": "hostprivkey",
    "ca": "localcacert",
    "crl": "hostcrl",
}
"""The setting of Puppet's that says where it has a material itself."""

_SUFFIX = ".pem"
_FILE = re.compile(r"[A-Za-z0-9_@+=:,][A-Za-z0-9_@+=:,. -]*\.pem", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is looked for.

    Attributes:
        holds, format: What, and how.
        path: Its path.
        password, key_password: Where a key store's passwords stand: file and setting.
        optional: It need not be there.
        pair: Whose key or certificate it is, if not the node's.
        folder: It is a directory of such copies.
    """

    holds: tuple[Material, ...]
    path: str
    format: Format = "pem"
    password: tuple[str, str] | None = None
    key_password: tuple[str, str] | None = None
    optional: bool = False
    pair: str = ""
    folder: bool = False

    @property
    def words(self) -> tuple[str, str, str, str]:
        """What the script `copies` is told of it."""
        kind = "key" if "key" in self.holds else "open"
        kind = kind if self.format == "pem" else f"{self.format}-{kind}"
        return (kind, self.path, *(self.password or ("", "")))


def configurations(extension: Extension, sections: Sections) -> Iterator[Told]:
    """Yield what the configuration of an extension says; each file's apart, if so."""
    text = sections.text(f"config {extension.name}")
    if not extension.apart:
        yield every_setting(text, extension.settings)
        return
    for part in filter(None, re.split(r"^(?=#file )", text, flags=re.MULTILINE)):
        yield every_setting(part, extension.settings)


Told = Mapping[str, list[Setting]]
"""Settings by name, as often as each is said."""


def last(told: Told, name: str) -> Setting | None:
    """Return the setting that counts where it is said often."""
    return told[name][-1] if name in told else None


def places_of(
    extension: Extension, sections: Sections, own: Mapping[str, str]
) -> Iterator[Place]:
    """Yield the places that a configuration, or its rule, names, each once.

    Args:
        extension: What is looked for.
        sections: What the script `agent` printed.
        own: Puppet's settings: where its own files are.
    """
    seen: dict[str, Place] = {}
    for told in configurations(extension, sections):
        for rule in extension.copies:
            for setting in _said(rule, told, often=extension.mixed):
                path = own.get(OWN[rule.holds[0]], "") if rule.own else rule.path
                if setting is not None:
                    base = extension.base or posixpath.dirname(setting.file)
                    path = setting.path_from(base)
                if path.startswith("/"):
                    seen.setdefault(path, _place(rule, path, setting, told))
    yield from seen.values()


def _said(rule: CopyRule, told: Told, *, often: bool) -> Sequence[Setting | None]:
    """Return the settings that say where a rule's copies are; None for no setting."""
    if not rule.setting:
        return (None,)
    found = told.get(rule.place, [])
    return found if often else found[-1:]


def _place(rule: CopyRule, path: str, setting: Setting | None, told: Told) -> Place:
    named = last(told, rule.named_by) if rule.named_by else None
    name = _stem(named.path if named else "" if rule.named_by else path)
    file = setting.file if setting is not None else ""
    return Place(
        holds=rule.holds,
        path=path,
        format=rule.format,
        password=(file, rule.password_setting) if rule.password_setting else None,
        key_password=(
            (file, rule.key_password_setting) if rule.key_password_setting else None
        ),
        optional=rule.optional,
        pair=rule.pair if rule.folder else rule.pair.replace("*", name).strip(),
        folder=rule.folder,
    )


def _stem(path: str) -> str:
    return posixpath.basename(path).removesuffix(_SUFFIX)


async def unfolded(transport: Transport, places: Sequence[Place]) -> tuple[Place, ...]:
    """Return places with every directory of copies replaced by the files in it."""
    folders = [each.path for each in places if each.folder]
    if not folders:
        return tuple(places)
    told = await look(transport, "folders", *folders)
    found: dict[str, Place] = {}
    for place in places:
        if not place.folder:
            found.setdefault(place.path, place)
            continue
        for name in told.lines(f"folder {folders.index(place.path)}"):
            if _FILE.fullmatch(name):
                path = posixpath.join(place.path, name)
                pair = place.pair.replace("*", _stem(name))
                one = replace(place, path=path, pair=pair, folder=False)
                found.setdefault(path, one)
    return tuple(found.values())


def unsettled(found: Sequence[Extension], sections: Sections) -> Iterator[Fault]:
    """Find copies whose place nothing tells, or too much; a preset's may have none."""
    for each in found:
        remedy = f"--skip {each.name}, or say where it is"
        told = every_setting(sections.text(f"config {each.name}"), each.settings)
        required = [r.place for r in each.copies if r.setting and not r.optional]
        lost = [name for name in required if name not in told]
        whole = each.nodes or len(lost) < len(required)
        if lost and whole and not each.mixed:
            message = f"{each.title}: its configuration has no {', '.join(lost)}"
            yield Fault("fault", message, remedy)
        for name in (rule.place for rule in each.copies if rule.place in told):
            values = {setting.path: setting.file for setting in told[name]}
            if len(values) > 1 and not (each.apart or each.mixed):
                several = " and ".join(values)
                message = f"{each.title}: {name} is said to be {several}"
                yield Fault("fault", message, f"declare each, with --skip {each.name}")
