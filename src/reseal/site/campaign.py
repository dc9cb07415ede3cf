"""A whole run: begin it, resume it, take it back, prove it, tell of it.

Guarantee: nothing is changed before the run's directory with plan, roster and
journal is on disk, and while another run on the same site is unfinished; a run
counts as finished only after its proof.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reseal.clock import Clock
from reseal.errors import ResealError
from reseal.site import hold
from reseal.site.check import Check
from reseal.site.claim import claim, claim_again, may_resume, release
from reseal.site.context import Context, Limits
from reseal.site.fleet import Fleet
from reseal.site.journal import Journal, Line, read_journal
from reseal.site.plan import Plan
from reseal.site.proving import can_be_proven, prove
from reseal.site.report import page_of, report_of
from reseal.site.rollback import Rollback
from reseal.site.roster import Roster
from reseal.site.run import Outcome, Runner, Told
from reseal.site.rundir import BUNDLE, CRLS, JOURNAL, PAGE, REPORT, RunDirectory
from reseal.site.target import Target
from reseal.site.transport import check

_TIDY = r"""
cd "$1" &&
rm -rf aside new keys pairs scratch agent.pid && : >finished && sync
"""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a run is carried out with.

    Attributes:
        clock: Tells the time.
        limits: How long to wait.
        step: Told of each step's progress.
        tell: Told what a step or node is waiting for: its id, words.
        checked: Told of each node's checks as they come.
        warn: Told what went wrong without harm to the run.
    """

    clock: Clock
    limits: Limits
    step: Told
    tell: Callable[[str, str], None]
    checked: Callable[[list[Check]], None]
    warn: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its steps and its proof."""

    outcome: Outcome
    checks: tuple[Check, ...]

    @property
    def proven(self) -> bool:
        """Every node is done and every check is good."""
        good = bool(self.checks) and all(each.ok for each in self.checks)
        return self.outcome.whole and good


async def begin(
    plan: Plan, roster: Roster, fleet: Fleet, runs: Path, hands: Hands
) -> tuple[RunDirectory, Ended]:
    """Carry out a plan as a new run.

    Raises:
        SiteError: Another run on this site is unfinished.
        JournalError: The plan has been begun already, or cannot be read back.
    """
    host = Target(plan.ca, await fleet.connect(roster.ca), plan.run)
    await claim(host)
    try:
        directory = RunDirectory.create(runs, plan, roster)
    except ResealError:
        await release(host)
        raise
    return directory, await _carry_on(directory, fleet, hands, "run")


async def resume(directory: RunDirectory, fleet: Fleet, hands: Hands) -> Ended:
    """Go on with a run, from what is true on its nodes.

    A run that was finished is proven again.

    Raises:
        SiteError: It was taken back, or another run is on this site.
    """
    return await _carry_on(directory, fleet, hands, "resume")


async def _carry_on(
    directory: RunDirectory, fleet: Fleet, hands: Hands, event: Literal["run", "resume"]
) -> Ended:
    async with _opened(directory, fleet, hands) as (run, journal):
        left = event == "run" or await may_resume(await run.target(run.plan.ca.name))
        journal.write(event, note=run.plan.goal)
        outcome = Outcome(_names(run.plan), {}, ())
        try:
            if left:
                outcome = await Runner(run, journal, hands.step).carry_out()
        finally:
            await _release_requests(run)
        checks: list[Check] = []
        if can_be_proven(run) and outcome.done:
            checks = await prove(run, outcome.done, hands.checked)
        ended = Ended(outcome, tuple(checks))
        journal.write("end", note="proven" if ended.proven else "not proven")
        tell(directory, run.plan, journal.lines, checks)
        if ended.proven:
            await _tidy(run, outcome.done, hands)
        return ended


async def _release_requests(run: Context) -> None:
    """Take away what has requests wait, however the run ended."""
    try:
        await hold.release(run)
    except ResealError as error:
        where = run.plan.ca.name
        run.warn(f"{where}: reseal's autosign policy may still be there: {error}")


async def _tidy(run: Context, names: tuple[str, ...], hands: Hands) -> None:
    """Leave only the backup on each node; the CA's host comes last, and is free then.

    The run is proven: a node that is lost now is told and harms nothing.
    """

    async def one(name: str) -> None:
        try:
            at = await run.target(name)
            if name in names:
                await check(at.transport, _TIDY, at.backup)
            if name == run.plan.ca.name:
                await release(at)
        except ResealError as error:
            hands.warn(f"{name}: is proven, but was not tidied up: {error}")

    host = run.plan.ca.name
    nodes = [n for n in run.roster.nodes if n.name in names and n.name != host]
    await run.fleet.each(nodes, lambda node, _: one(node.name))
    await one(host)


def _names(plan: Plan) -> tuple[str, ...]:
    """Return the certnames of a plan's steps."""
    return tuple(dict.fromkeys(step.node for step in plan.steps))


def tell(
    directory: RunDirectory, plan: Plan, lines: Sequence[Line], checks: Sequence[Check]
) -> None:
    """Keep the report of a run, as JSON and as a page."""
    report = report_of(plan, lines, checks, directory.kept(BUNDLE))
    directory.keep(REPORT, json.dumps(report, indent=2).encode() + b"\n")
    directory.keep(PAGE, page_of(report).encode())


def report_now(directory: RunDirectory) -> dict[str, Any]:
    """Return a run's report: the kept one, or a new one if the journal went on."""
    plan, kept = directory.plan(), directory.kept(REPORT)
    lines = tuple(read_journal(directory.path / JOURNAL))
    old: dict[str, Any] = json.loads(kept) if kept else {}
    if lines and old.get("ended") == lines[-1].at.isoformat():
        return old
    return report_of(plan, lines, [], directory.kept(BUNDLE))


async def rollback(directory: RunDirectory, fleet: Fleet, hands: Hands) -> Outcome:
    """Take a run back.

    Raises:
        SiteError: Another run is on this site, or came after it.
    """
    async with _opened(directory, fleet, hands) as (run, journal):
        host = await run.target(run.plan.ca.name)
        await claim_again(host)
        await _release_requests(run)
        outcome = await Rollback(run, journal).carry_out()
        if outcome.whole:
            directory.forget(BUNDLE)
            directory.forget(CRLS)
        note = "rolled back" if outcome.whole else "partly rolled back"
        journal.write("end", note=note)
        tell(directory, run.plan, journal.lines, [])
        if outcome.whole:
            await release(host)
        return outcome


async def verify(directory: RunDirectory, fleet: Fleet, hands: Hands) -> list[Check]:
    """Prove the nodes of a run again; nothing is changed."""
    plan, roster = directory.plan(), directory.roster()
    run = Context(
        *(plan, roster, fleet, directory),
        *(hands.limits, hands.clock, hands.tell, hands.warn),
    )
    return await prove(run, _names(plan), hands.checked)


@asynccontextmanager
async def _opened(
    directory: RunDirectory, fleet: Fleet, hands: Hands
) -> AsyncIterator[tuple[Context, Journal]]:
    plan, roster = directory.plan(), directory.roster()
    with directory.locked():
        journal = Journal(directory.path / JOURNAL, hands.clock)
        run = Context(
            *(plan, roster, fleet, directory),
            *(hands.limits, hands.clock, hands.tell, hands.warn),
        )
        try:
            yield run, journal
        finally:
            await run.close()
            journal.close()
