"""Undo a run: every node gets back the files it had, byte for byte.

Guarantee: only what a run has replaced is put back, from the backup that was proven
before; what was put back is compared with the backup's manifest.  The CA's host
comes first, so that the nodes that follow find their old CA.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from reseal.errors import CommandFailed, ResealError, StepFailed
from reseal.site.agent_steps import StopAgent
from reseal.site.context import Context
from reseal.site.extension_steps import (
    COPIED,
    is_answering,
    restart_all,
    wait_for_any_answer,
)
from reseal.site.facts import ServerFacts
from reseal.site.journal import Journal
from reseal.site.run import Outcome
from reseal.site.server_steps import (
    PAUSE,
    STARTS,
    last_words,
    served_name,
    service_of,
)
from reseal.site.target import Target
from reseal.site.transport import check

_FORGET = r"""
cd "$1" 2>/dev/null || exit 0
rm -rf aside new keys pairs scratch
rm -f setting-aside set-aside installed prepared clearing cleared started finished \
    copied services-started pairs-copied
: >rolled-back
sync
"""


class Rollback:
    """Takes a run back.

    Args:
        run: The run and the ways to its nodes.
        journal: Where every deed is written down.
    """

    def __init__(self, run: Context, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._failed: dict[str, str] = {}
        self._done: list[str] = []

    async def carry_out(self) -> Outcome:
        """Take back every node's part of the run, the CA's host first."""
        host = self._run.plan.ca.name
        names = dict.fromkeys(step.node for step in self._run.plan.steps)
        await self._nodes([host] if host in names else [])
        if not self._failed:
            await self._nodes([name for name in names if name != host])
        left = [n for n in names if n not in self._done and n not in self._failed]
        return Outcome(tuple(self._done), dict(self._failed), tuple(left))

    async def _nodes(self, names: Sequence[str]) -> None:
        slots = asyncio.Semaphore(self._run.plan.choices.batch)

        async def one(name: str) -> None:
            async with slots:
                await self._node(name)

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(one(name))

    async def _node(self, name: str) -> None:
        try:
            at = await self._run.target(name)
            self._journal.write("rollback", name)
            self._run.tell(name, "is taken back")
            await self._take_back(at)
        except ResealError as error:
            reason = f"{error} ({error.hint})" if error.hint else str(error)
            self._journal.write("failed", name, reason)
            self._failed[name] = reason
        else:
            self._journal.write("undone", name)
            self._run.tell(name, "has its old files")
            self._done.append(name)

    async def _take_back(self, at: Target) -> None:
        replaced = await at.has("clearing") or await at.has("setting-aside")
        replaced = replaced or await at.has(COPIED)
        # Where only copies are replaced nothing else tells that this was begun.
        replaced = replaced or (not at.whole and await at.has("manifest"))
        await _end_background(at)
        if replaced:
            if not await at.has("manifest"):
                raise StepFailed(f"{at.name}: its backup is gone: {at.backup}")
            await self._restore(at)
        if at.whole:
            await self._settle_puppet(at, replaced)
        if replaced:
            await self._settle_services(at)
        await check(at.transport, _FORGET, at.backup)

    async def _settle_puppet(self, at: Target, replaced: bool) -> None:
        """Leave server and agent as they were found."""
        server = at.facts.server
        if server is not None and server.service is not None:
            await self._settle_server(at, server, restart=replaced)
        agent = at.facts.agent
        if agent is not None and await at.is_active(agent) != agent.active:
            await (at.start(agent) if agent.active else at.stop(agent))

    async def _restore(self, at: Target) -> None:
        if at.whole:
            await self._stop_puppet(at)
        await at.ask("restore", at.backup, *at.paths, timeout=3600)

    async def _stop_puppet(self, at: Target) -> None:
        await StopAgent().do(at, self._run)
        if at.facts.server is not None and at.facts.server.service is not None:
            service = service_of(at)
            if await at.is_active(service):
                await at.stop(service)
        # A start that was under way when the run was killed has come through by now.
        await StopAgent().do(at, self._run)

    async def _settle_services(self, at: Target) -> None:
        """Have services read their old copies; what is with these is as it was."""
        await restart_all(at, lambda words: self._run.tell(at.name, words))
        for extension in filter(is_answering, at.facts.extensions):
            await wait_for_any_answer(at, extension, self._run.limits.server)

    async def _settle_server(
        self, at: Target, server: ServerFacts, *, restart: bool
    ) -> None:
        """Leave the server as it was found; one that ran shows its old certificate."""
        service = service_of(at)
        active = await at.is_active(service)
        if not service.active:
            if active:
                await at.stop(service)
            return
        if active and not restart:
            return
        self._run.tell(at.name, "its server starts")
        await _start(at)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._run.limits.server
        while (fault := await _unlike_found(at, server.port)) is not None:
            if loop.time() > end:
                raise StepFailed(
                    f"{at.name}: the server does not answer: {fault}",
                    hint=f"its log says: {await last_words(at, service)}",
                )
            await asyncio.sleep(PAUSE)


async def _start(at: Target) -> None:
    """Start the server's service; a package's unit fails a start now and then."""
    service = service_of(at)
    for attempt in range(1, STARTS + 1):
        try:
            await at.start(service)
        except CommandFailed as error:
            if attempt == STARTS:
                raise StepFailed(
                    f"{at.name}: {service.name} does not start: {error}",
                    hint=f"its log says: {await last_words(at, service)}",
                ) from error
            await asyncio.sleep(2 * PAUSE)
        else:
            return


async def _unlike_found(at: Target, port: int) -> str | None:
    """Return why the server is not as it was; None when it shows its certificate.

    The chain is not verified: the old CA or its revocation list may have expired,
    and such a site can be taken back, too.
    """
    probe = {"host": served_name(at), "port": port, "path": "/"}
    probe["expected"] = at.setting("hostcert")
    answers = await at.ask("probe", stdin=json.dumps([probe]).encode(), timeout=60)
    answer = answers[0]
    if "server" not in answer:
        return str(answer.get("error"))
    if answer["server"] != answer.get("expected"):
        return "it shows another certificate than the one in its SSL directory"
    return None


async def _end_background(at: Target) -> None:
    """End the agent that the run itself had started, if it still runs."""
    if await at.has("agent.pid"):
        await at.ask("launch", f"{at.backup}/agent.log", f"{at.backup}/agent.pid")
