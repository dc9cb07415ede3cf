"""What is done to services that keep copies: renew the copies, start anew, be answered.

Guarantee: what was backed up is all that is replaced; a service counts as started
when it has shown the node's new certificate and answered its question.  One that did
not run is not started.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from reseal.errors import CommandFailed, StepFailed
from reseal.extensions.protocol import DoorRule
from reseal.site.agreement import agree
from reseal.site.check import REFUSALS
from reseal.site.context import Context
from reseal.site.copies import mode_for
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.places import OWN
from reseal.site.server_steps import PAUSE, checks_revocation, last_words
from reseal.site.target import Target
from reseal.site.transport import check

COPIED, STARTED = "copied", "services-started"
"""Marks of what is done."""


class RenewCopies:
    """Put the node's new material into every copy."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has(COPIED) and await agree(at)

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("manifest"):
            raise StepFailed(f"{at.name}: has no backup, no copy is replaced")
        # Whoever started before reads the copies of before.
        await check(at.transport, 'rm -f "$1"', f"{at.backup}/{STARTED}")
        copies = [copy for each in at.facts.extensions for copy in each.copies]
        copies = [c for c in copies if c.there and not c.own and not c.pair]
        if files := [_order(at, each) for each in copies if each.format != "java"]:
            await at.ask("copies", stdin=json.dumps(files).encode(), timeout=300)
        if stores := [_store(at, each) for each in copies if each.format == "java"]:
            data = json.dumps(stores).encode()
            await at.ask("stores", at.backup, stdin=data, timeout=600)
        await at.mark(COPIED)


def _order(at: Target, copy: CopyFacts) -> dict[str, Any]:
    order: dict[str, Any] = {
        "path": copy.path,
        "owner": copy.owner,
        "mode": mode_for(copy),
        "from": [at.setting(OWN[each]) for each in copy.holds],
    }
    return order | ({"der": copy.holds[0]} if copy.format == "der" else {})


def _store(at: Target, copy: CopyFacts) -> dict[str, Any]:
    """Return the order for a key store: its kind, alias and password as they were."""
    order: dict[str, Any] = {
        "path": copy.path,
        "owner": copy.owner,
        "mode": mode_for(copy),
        "jks": copy.jks,
        "password": copy.password,
        "ca": at.setting(OWN["ca"]),
    }
    if "key" in copy.holds:
        order["alias"] = copy.alias
        order["key_password"] = copy.key_password
        order["key"] = at.setting(OWN["key"])
        order["certificate"] = at.setting(OWN["certificate"])
    return order


class StartServices:
    """Start the services anew that read copies, and wait until they answer."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has(STARTED)

    async def do(self, at: Target, run: Context) -> None:
        step = f"{at.name}/extension.start"
        await restart_all(at, lambda words: run.tell(step, words))
        # All have started: one may work with another, as PuppetDB with its database.
        for extension in filter(is_answering, at.facts.extensions):
            run.tell(step, f"waits until {extension.title} answers")
            await wait_for_answer(at, extension, run.limits.server)
        await at.mark(STARTED)


def is_answering(extension: ExtensionFacts) -> bool:
    """Tell whether an extension answered when it was surveyed, or should have."""
    running = any(service.active for service in extension.services)
    return running and extension.door is not None


def what_it_does(extension: ExtensionFacts) -> str:
    """Say what is had of a service, in words."""
    does = "reads its files again" if extension.reload else "starts"
    return f"{extension.title} {does}"


async def restart_all(at: Target, tell: Callable[[str], None]) -> None:
    """Start the services of every extension anew, in order.

    Args:
        at: The node.
        tell: Told of each, in words.

    Raises:
        StepFailed: One does not start; all others were started.
    """
    failures: list[StepFailed] = []
    for extension in at.facts.extensions:
        tell(what_it_does(extension))
        try:
            await restart(at, extension)
        except StepFailed as error:
            failures.append(error)
    if failures:
        raise failures[0]


async def restart(at: Target, extension: ExtensionFacts) -> None:
    """Start the services of an extension anew that ran when they were surveyed.

    Those of one that reloads are asked to read their files again, and started if
    they do not run.

    Raises:
        StepFailed: One does not start; the others were started.
    """
    running = [service for service in extension.services if service.active]
    for service in reversed(running):
        if not extension.reload and await at.is_active(service):
            await at.stop(service)
    failures = []
    for service in running:
        try:
            if extension.reload and await at.is_active(service):
                await at.reload(service)
            await at.start(service)
        except CommandFailed as error:
            log = await last_words(at, service)
            failures.append(StepFailed(f"{error}", hint=f"its log says: {log}"))
    if failures:
        raise failures[0]


async def wait_for_any_answer(
    at: Target, extension: ExtensionFacts, limit: int
) -> None:
    """Wait until a service speaks TLS, be it to refuse us: it had its own troubles.

    Raises:
        StepFailed: It does not.
    """
    if extension.door is None:
        return
    whole = door_probe(at, extension.door)
    probe = {name: whole[name] for name in whole.keys() - {"bundle", "crls"}}
    data = json.dumps([probe]).encode()
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while not speaks((await at.ask("probe", stdin=data, timeout=60))[0]):
        if loop.time() > end:
            raise StepFailed(f"{at.name}: {extension.title} does not answer")
        await asyncio.sleep(PAUSE)


def speaks(answer: Mapping[str, Any]) -> bool:
    """Tell whether there was somebody who speaks TLS."""
    error = str(answer.get("error", ""))
    return "server" in answer or ("tried" in answer and error.startswith(REFUSALS))


async def wait_for_answer(at: Target, extension: ExtensionFacts, limit: int) -> None:
    """Wait until a service answers with the certificate that the node has.

    Raises:
        StepFailed: It does not.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while (fault := await fault_of_door(at, extension.door)) is not None:
        if loop.time() > end:
            logs = [await last_words(at, each) for each in extension.services]
            raise StepFailed(
                f"{at.name}: {extension.title} does not answer: {fault}",
                hint=f"its log says: {' / '.join(filter(None, logs)) or 'nothing'}",
            )
        await asyncio.sleep(PAUSE)


async def fault_of_door(at: Target, door: DoorRule | None) -> str | None:
    """Return what is wrong with a service's answer; None when it is right."""
    if door is None:
        return None
    probe = door_probe(at, door) | {"expected": at.setting("hostcert")}
    (answer,) = await at.ask("probe", stdin=json.dumps([probe]).encode(), timeout=60)
    return answer_fault(door, answer)


def answer_fault(door: DoorRule | None, answer: Mapping[str, Any]) -> str | None:
    """Return what is wrong with what a service answered to a probe."""
    if "error" in answer:
        return str(answer["error"])
    if answer["server"] != answer.get("expected"):
        return "it shows another certificate than the node has"
    line = str(answer.get("line", ""))
    if door is not None and door.say:
        return None if line.startswith(door.answer) else f"it answers {line!r}"
    return None if answer["status"] == 200 else f"HTTP status {answer['status']}"


def door_probe(at: Target, door: DoorRule) -> dict[str, Any]:
    """Return a question to a service, asked as the node with all it has."""
    probe: dict[str, Any] = {
        "host": at.facts.certname,
        "port": door.port,
        "path": door.path,
        "certificate": at.setting("hostcert"),
        "key": at.setting("hostprivkey"),
        "bundle": at.setting("localcacert"),
    }
    if door.say:
        probe["say"] = door.say
        probe["enough"] = max(map(len, door.answer))
    if door.before:
        probe["before"] = door.before
    if door.address:
        probe["connect"] = door.address
    if checks_revocation(at):
        probe["crls"] = at.setting("hostcrl")
    return probe
