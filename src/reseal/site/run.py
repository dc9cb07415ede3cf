"""Carry out a plan, from the beginning or from where it was left.

Guarantee: a step's beginning is in the journal before the step begins; a step that
a look at the node finds done is not done again.  A failure at the CA's host, at the
first compiler or at a canary ends the run before anything else is touched; later on a
node that fails does not stop the others, up to a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reseal.errors import ResealError
from reseal.site.context import Context
from reseal.site.journal import Journal
from reseal.site.sequence import PAIRS, Action, Step
from reseal.site.steps import ACTS, Act
from reseal.site.target import UNREADABLE

State = Literal["begun", "found done", "done", "failed"]
Told = Callable[[Step, State, str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        done: Certnames on which every step is done.
        failed: Certnames that failed, each with the reason and the way out.
        untouched: Certnames that no step was begun on.
        left: Certnames on which steps are done, and later ones were not begun.
    """

    done: tuple[str, ...]
    failed: dict[str, str]
    untouched: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Every node is done."""
        return not self.failed and not self.untouched and not self.left


class Runner:
    """Carries out the plan of a context.

    Args:
        run: The plan and the ways to its nodes.
        journal: Where every step is written down first.
        told: Told of each step's progress, with a note.
        acts: What each action of the plan means.
    """

    def __init__(
        self,
        run: Context,
        journal: Journal,
        told: Told,
        acts: Mapping[Action, Act] = ACTS,
    ) -> None:
        self._run = run
        self._acts = acts
        self._journal = journal
        self._told = told
        self._failed: dict[str, str] = {}
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    async def carry_out(self) -> Outcome:
        """Do what is left of the plan, phase by phase."""
        for phase in self._run.plan.phases:
            nodes, before = self._run.plan.of(phase), len(self._failed)
            await self._phase(list(nodes.values()))
            if len(self._failed) > before and self._must_stop(phase):
                break
        return self._outcome()

    def _must_stop(self, phase: str) -> bool:
        first = phase in ("ca", "compiler 1", "canary")
        if first or phase.startswith(f"{PAIRS} "):
            return True
        return len(self._failed) > self._run.limits.failures

    async def _phase(self, nodes: Sequence[Sequence[Step]]) -> None:
        """Work on a phase's nodes at once; a failed node fails alone."""
        async with asyncio.TaskGroup() as group:
            for steps in nodes:
                if steps[0].node not in self._failed:
                    group.create_task(self._node(steps))

    async def _node(self, steps: Sequence[Step]) -> None:
        for step in steps:
            try:
                await self._step(step)
            except ResealError as error:
                reason = f"{error} ({error.hint})" if error.hint else str(error)
            except UNREADABLE:
                reason = f"{step.node}: answers what cannot be read"
            else:
                continue
            self._journal.write("failed", step.id, reason)
            self._told(step, "failed", reason)
            self._failed[step.node] = reason
            return

    async def _step(self, step: Step) -> None:
        act = self._acts[step.action]
        at = await self._run.target(step.node)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self._begun.add(step.node)
        if await act.done(at, self._run):
            self._ended.add(step.id)
            self._journal.write("found done", step.id)
            self._told(step, "found done", "")
            return
        self._journal.write("begun", step.id)
        self._told(step, "begun", "")
        await act.do(at, self._run)
        self._ended.add(step.id)
        self._journal.write("done", step.id, seconds=loop.time() - begin)
        self._told(step, "done", f"{loop.time() - begin:.1f} s")

    def _outcome(self) -> Outcome:
        steps = self._run.plan.steps
        names = dict.fromkeys(step.node for step in steps)
        short = {step.node for step in steps if step.id not in self._ended}
        untouched = tuple(n for n in names if n not in self._begun | set(self._failed))
        done = tuple(n for n in names if n not in short)
        named = {*done, *self._failed, *untouched}
        left = tuple(n for n in names if n not in named)
        return Outcome(done, dict(self._failed), untouched, left)
