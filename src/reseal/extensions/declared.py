"""Extensions as TOML: those that come with reseal, and a site's own.

Guarantee: a misspelt word is a fault that names its line, in a site file as here.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import cast, get_args

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.extensions.protocol import (
    CopyRule,
    DoorRule,
    Extension,
    Format,
    Material,
)
from reseal.tomlfile import Table, open_toml

_HINT = "extensions are described in docs/reference/extensions.md"
_KEYS = ("title", "services", "configs", "first", "nodes", "copy", "door")
_COPY = ("holds", "path", "setting", "format", "password_setting", "optional")
_DOOR = ("port", "port_setting", "path", "say", "answer", "client", "address")
_STORES = ({"key", "certificate"}, {"ca"})
"""What a key store of Java can hold."""

_SETTING = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:-]*", re.ASCII)


@cache
def presets() -> tuple[Extension, ...]:
    """Return the extensions that come with reseal, in the order of their renewal."""
    found = []
    folder = files("reseal.extensions") / "presets"
    names = sorted(each.name for each in folder.iterdir())
    for name in names:
        with as_file(folder / name) as path:
            top = open_toml(path, hint=_HINT)
        extension = extension_of(name.removesuffix(".toml").partition("-")[2], top)
        top.faults.check()
        found += [extension] if extension else []
    return tuple(found)


def declared(table: Table, known_nodes: Collection[str]) -> Iterator[Extension]:
    """Yield the extensions of a site file's table `extension`; faults are noted.

    Args:
        table: The table.
        known_nodes: Certnames of the site.
    """
    known = {each.name for each in presets()}
    for name in table.names():
        one = table.table(name)
        if name in known:
            one.fault(f"extension.{name}: comes with reseal; take another name")
        found = extension_of(name, one)
        if found is None:
            continue
        for node in found.nodes:
            if node not in known_nodes:
                one.fault(f"nodes: {node} is no node of the site", "nodes")
        if not found.nodes:
            one.fault(f"extension.{name}: nodes: is missing")
        yield found


def extension_of(name: str, table: Table) -> Extension | None:
    """Take an extension of a table; None, and faults, where it is none."""
    services = table.strings("services") or ()
    copies = tuple(_copies(table))
    found = Extension(
        name=name,
        title=table.string("title") or name,
        services=services,
        configs=table.strings("configs") or (),
        copies=copies,
        door=_door(table),
        first=table.boolean("first") is not False,
        nodes=tuple(_nodes(table)),
    )
    table.done(_KEYS)
    for service in services:
        if not _SERVICE.fullmatch(service):
            table.fault(f"services: {service!r} is no service's name", "services")
    for path in found.configs:
        if not path.startswith("/"):
            table.fault(f"configs: {path}: must be an absolute path", "configs")
    if not services:
        table.fault(f"extension {name}: services: is missing")
    if not copies:
        table.fault(f"extension {name}: has no copy: [[extension.{name}.copy]]")
    if found.settings and not found.configs:
        table.fault(f"extension {name}: configs: is missing, for settings to be in")
    return found if services and copies else None


def _nodes(table: Table) -> Iterator[str]:
    for name in table.strings("nodes") or ():
        try:
            yield Certname(name)
        except InvalidCertname as error:
            table.fault(f"nodes: {error} ({error.hint})", "nodes")


def _copies(table: Table) -> Iterator[CopyRule]:
    for each in table.tables("copy"):
        holds = each.strings("holds") or ()
        path, setting = each.string("path") or "", each.string("setting") or ""
        form = each.choice("format", get_args(Format)) or "pem"
        password = each.string("password_setting") or ""
        optional = each.boolean("optional") is True
        each.done(_COPY)
        strange = [name for name in holds if name not in get_args(Material)]
        for name in strange:
            words = ", ".join(get_args(Material))
            each.fault(f"holds: {name!r} is not one of {words}", "holds")
        if not holds:
            each.fault("holds: is missing")
        if bool(path) == bool(setting):
            each.fault("path or setting: one of them says where it is")
        if path and not path.startswith("/"):
            each.fault(f"path: {path}: must be an absolute path", "path")
        _check_setting(each, "setting", setting)
        _check_setting(each, "password_setting", password)
        if form == "java" and {*holds} not in _STORES and not strange:
            each.fault("holds: a key store holds key and certificate, or ca", "holds")
        if (form == "java") != bool(password):
            each.fault("password_setting: is for key stores, and they need it")
        if form == "java" and path:
            each.fault("path: of a key store, a setting says where it is", "path")
        if holds and not strange:
            known = cast(tuple[Material, ...], holds)
            yield CopyRule(known, path, setting, cast(Format, form), password, optional)


def _door(table: Table) -> DoorRule | None:
    if "door" not in table.names():
        return None
    door = table.table("door")
    port = door.integer("port", 1, 65535)
    setting, path = door.string("port_setting") or "", door.string("path") or "/"
    say, answer = door.string("say") or "", door.strings("answer") or ()
    client = door.boolean("client") is not False
    address = door.string("address") or ""
    door.done(_DOOR)
    if bool(say) != bool(answer):
        door.fault("say and answer: belong together")
    if port is None:
        door.fault("port: is missing")
    if not path.startswith("/"):
        door.fault(f"path: {path}: must begin with a slash", "path")
    _check_setting(door, "port_setting", setting)
    return DoorRule(port or 0, setting, path, say, answer, client, address)


def _check_setting(table: Table, key: str, name: str) -> None:
    if name and not _SETTING.fullmatch(name):
        table.fault(f"{key}: {name!r} is no setting's name", key)
