"""What is done to services that keep copies: renew the copies, start anew, be answered.

Guarantee: what was backed up is all that is replaced; a service counts as started
when it has shown the node's new certificate and answered its question.  One that did
not run is not started.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from reseal.errors import StepFailed
from reseal.extensions.protocol import Material
from reseal.site.context import Context
from reseal.site.copies import mode_for
from reseal.site.facts import CopyFacts, DoorFacts, ExtensionFacts
from reseal.site.server_steps import PAUSE, checks_revocation, last_words
from reseal.site.target import Target

_SOURCES: dict[Material, str] = {
    "certificate": "hostcert",
    "key": "hostprivkey",
    "ca": "localcacert",
    "crl": "hostcrl",
}
COPIED, STARTED = "copied", "services-started"
"""Marks of what is done."""


class RenewCopies:
    """Put the node's new material into every copy."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has(COPIED)

    async def do(self, at: Target, run: Context) -> None:
        if not await at.has("manifest"):
            raise StepFailed(f"{at.name}: has no backup, no copy is replaced")
        copies = [copy for each in at.facts.extensions for copy in each.copies]
        orders = [_order(at, copy) for copy in copies if not copy.own and copy.there]
        await at.ask("copies", stdin=json.dumps(orders).encode(), timeout=300)
        await at.mark(COPIED)


def _order(at: Target, copy: CopyFacts) -> dict[str, Any]:
    return {
        "path": copy.path,
        "owner": copy.owner,
        "mode": mode_for(copy),
        "from": [at.setting(_SOURCES[each]) for each in copy.holds],
    }


class StartServices:
    """Start the services anew that read copies, and wait until they answer."""

    async def done(self, at: Target, run: Context) -> bool:
        return await at.has(STARTED)

    async def do(self, at: Target, run: Context) -> None:
        step = f"{at.name}/extension.start"
        for extension in at.facts.extensions:
            run.tell(step, f"{extension.title} starts")
            await restart(at, extension)
            if is_answering(extension):
                run.tell(step, f"waits until {extension.title} answers")
                await wait_for_answer(at, extension, run.limits.server)
        await at.mark(STARTED)


def is_answering(extension: ExtensionFacts) -> bool:
    """Tell whether an extension answered when it was surveyed, or should have."""
    running = any(service.active for service in extension.services)
    return running and extension.door is not None


async def restart(at: Target, extension: ExtensionFacts) -> None:
    """Start the services of an extension anew that ran when they were surveyed."""
    running = [service for service in extension.services if service.active]
    for service in reversed(running):
        if await at.is_active(service):
            await at.stop(service)
    for service in running:
        await at.start(service)


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


async def fault_of_door(at: Target, door: DoorFacts | None) -> str | None:
    """Return what is wrong with a service's answer; None when it is right."""
    if door is None:
        return None
    probe = door_probe(at, door) | {"expected": at.setting("hostcert")}
    (answer,) = await at.ask("probe", stdin=json.dumps([probe]).encode(), timeout=60)
    if "error" in answer:
        return str(answer["error"])
    if answer["server"] != answer.get("expected"):
        return "it shows another certificate than the node has"
    if answer["status"] != 200:
        return f"HTTP status {answer['status']}"
    return None


def door_probe(at: Target, door: DoorFacts) -> dict[str, Any]:
    """Return a question to a service, asked as the node with all it has."""
    probe: dict[str, Any] = {
        "host": at.facts.certname,
        "port": door.port,
        "path": door.path,
        "certificate": at.setting("hostcert"),
        "key": at.setting("hostprivkey"),
        "bundle": at.setting("localcacert"),
    }
    if checks_revocation(at):
        probe["crls"] = at.setting("hostcrl")
    return probe
