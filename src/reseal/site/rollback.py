"""Undo a run: every node gets back the files it had, byte for byte.

Guarantee: only what a run has replaced is put back, from the backup that was proven
before; what was put back is compared with the backup's manifest.  The CA's host
comes first, so that the nodes that follow find their old CA.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from reseal.errors import ResealError, StepFailed
from reseal.site.agent_steps import StopAgent
from reseal.site.context import Context
from reseal.site.journal import Journal
from reseal.site.run import Outcome
from reseal.site.server_steps import StartServer, service_of
from reseal.site.target import Target
from reseal.site.transport import check

_FORGET = r"""
cd "$1" || exit 1
if [ -s agent.pid ]; then kill "$(cat agent.pid)" 2>/dev/null; fi
rm -rf aside new keys scratch
rm -f setting-aside set-aside installed prepared clearing cleared started finished
rm -f agent.pid
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
        await self._nodes([host])
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
        if replaced:
            if not await at.has("manifest"):
                raise StepFailed(f"{at.name}: its backup is gone: {at.backup}")
            await self._restore(at)
        server = at.facts.server
        if server is not None and server.service is not None:
            start = StartServer()
            if replaced or not await at.is_active(server.service):
                await start.do(at, self._run)
        agent = at.facts.agent
        if agent is not None and await at.is_active(agent) != agent.active:
            await (at.start(agent) if agent.active else at.stop(agent))
        if await at.has("manifest"):
            await check(at.transport, _FORGET, at.backup)

    async def _restore(self, at: Target) -> None:
        await _end_background(at)
        await StopAgent().do(at, self._run)
        if at.facts.server is not None and at.facts.server.service is not None:
            service = service_of(at)
            if await at.is_active(service):
                await at.stop(service)
        await at.ruby("restore", at.backup, *at.paths, timeout=3600)


async def _end_background(at: Target) -> None:
    """End the agent that the run itself had started."""
    await at.transport.run(
        'if [ -s "$1" ]; then kill "$(cat "$1")" 2>/dev/null; fi; rm -f "$1"',
        f"{at.backup}/agent.pid",
    )
