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
from reseal.extensions.copyrules import check_setting, copy_rules
from reseal.extensions.protocol import Before, DoorRule, Extension, QuestionRule
from reseal.tomlfile import Table, open_toml

_HINT = "extensions are described in docs/reference/extensions.md"
_KEYS = (
    *("title", "nodes", "like", "services", "configs", "apart", "mixed", "base"),
    *("first", "identity_setting", "reload", "copy", "door", "question"),
)
_DOOR = (
    *("port", "port_setting", "path", "say", "answer", "client", "address", "before"),
)
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
    named = {*known, *table.names()}
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
        if found.question and found.question.hears not in named | {""}:
            hears = found.question.hears
            one.fault(f"question: hears: {hears} is no extension", "question")
        yield found


def extension_of(name: str, table: Table) -> Extension | None:
    """Take an extension of a table; None, and faults, where it is none."""
    services = table.strings("services") or ()
    copies = tuple(copy_rules(table))
    model = _model(table)
    if model is not None:
        copies += model.copies
    found = Extension(
        name=name,
        title=table.string("title") or name,
        services=services,
        configs=table.strings("configs") or (),
        copies=copies,
        door=_door(table),
        apart=bool(table.boolean("apart") or (model and model.apart)),
        mixed=bool(table.boolean("mixed") or (model and model.mixed)),
        base=table.string("base") or (model.base if model else ""),
        first=table.boolean("first") is not False,
        nodes=tuple(_nodes(table)),
        identity_setting=table.string("identity_setting") or "",
        question=_question(table),
        reload=bool(table.boolean("reload")),
    )
    check_setting(table, "identity_setting", found.identity_setting)
    table.done(_KEYS)
    for service in services:
        if not _SERVICE.fullmatch(service):
            table.fault(f"services: {service!r} is no service's name", "services")
    for path in found.configs:
        if not path.startswith("/"):
            table.fault(f"configs: {path}: must be an absolute path", "configs")
    for fault in _contradictions(found):
        table.fault(f"extension {name}: {fault}")
    return found if copies else None


def _model(table: Table) -> Extension | None:
    """Take the extension of reseal's whose copies this one has too, elsewhere."""
    name = table.string("like")
    if name is None:
        return None
    known = {each.name: each for each in presets()}
    if name not in known:
        table.fault(f"like: {name} is not one of {', '.join(known)}", "like")
    return known.get(name)


def _contradictions(found: Extension) -> Iterator[str]:
    if not found.services and not found.configs and not found.nodes:
        yield "services: is missing"
    if not found.copies:
        yield f"has no copy: [[extension.{found.name}.copy]]"
    if found.settings and not found.configs:
        yield "configs: is missing, for settings to be in"
    if found.base and not found.base.startswith("/"):
        yield f"base: {found.base}: must be an absolute path"
    if found.apart and found.mixed:
        yield "apart and mixed: exclude each other"
    if found.reload and not found.services:
        yield "reload: is a service's, and services is missing"
    if found.reload and found.services and not found.door:
        yield "reload: without a door nothing shows that the new files were read"
    if found.door and not found.services:
        yield "door: is a service's, and services is missing"
    if found.door and any(copy.pair for copy in found.copies):
        yield "door: shows a node's own certificate, and a pair is nobody's own"


def _nodes(table: Table) -> Iterator[str]:
    for name in table.strings("nodes") or ():
        try:
            yield Certname(name)
        except InvalidCertname as error:
            table.fault(f"nodes: {error} ({error.hint})", "nodes")


def _question(table: Table) -> QuestionRule | None:
    if "question" not in table.names():
        return None
    question = table.table("question")
    command = question.strings("command") or ()
    hears = question.string("hears") or ""
    question.done(("command", "hears"))
    if not command:
        question.fault("command: is missing")
    return QuestionRule(command, hears) if command else None


def _door(table: Table) -> DoorRule | None:
    if "door" not in table.names():
        return None
    door = table.table("door")
    port = door.integer("port", 1, 65535)
    setting, path = door.string("port_setting") or "", door.string("path") or "/"
    say, answer = door.string("say") or "", door.strings("answer") or ()
    client = door.boolean("client") is not False
    address = door.string("address") or ""
    before = cast(Before, door.choice("before", get_args(Before)[1:]) or "")
    door.done(_DOOR)
    if bool(say) != bool(answer):
        door.fault("say and answer: belong together")
    if port is None:
        door.fault("port: is missing")
    if not path.startswith("/"):
        door.fault(f"path: {path}: must begin with a slash", "path")
    check_setting(door, "port_setting", setting)
    return DoorRule(port or 0, setting, path, say, answer, client, address, before)
