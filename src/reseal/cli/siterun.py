"""The commands of `reseal site` that change it: regenerate, resume, roll back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import typer

from reseal.cli.exits import PARTLY, UNPROVEN
from reseal.cli.output import print_json, shown
from reseal.cli.progress import Lines, progress
from reseal.cli.siteoptions import (
    SITE,
    Allow,
    Batch,
    DryRun,
    Json,
    MaxFailures,
    Only,
    PlanFile,
    RunName,
    Runs,
    SiteFile,
    Skip,
    Without,
    Yes,
    chosen,
    hands,
    planned,
    surveyed,
)
from reseal.cli.siteview import confirm, plan_text, verdict
from reseal.errors import Interrupted, NotFound, UsageError
from reseal.files import read
from reseal.site import campaign
from reseal.site.campaign import Ended, Hands
from reseal.site.context import Limits
from reseal.site.drift import require_unmoved
from reseal.site.fleet import Fleet
from reseal.site.plan import Choices, Plan
from reseal.site.roster import Roster, load_roster
from reseal.site.run import Outcome
from reseal.site.rundir import (
    PAGE,
    REPORT,
    RunDirectory,
    dump_plan,
    parse_plan,
    runs_directory,
)

T = TypeVar("T")


def regenerate(
    site: SiteFile = SITE,
    plan_file: PlanFile = None,
    batch: Batch = None,
    without: Without = None,
    allow: Allow = None,
    skip: Skip = None,
    only: Only = None,
    max_failures: MaxFailures = 3,
    yes: Yes = False,
    dry_run: DryRun = False,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Replace the CA and every certificate of the site, and prove it.

    Example: reseal site regenerate --site site.toml

    With --only the copies of an extension are renewed, and the CA stays.

    Exit status: 0 proven; 1 stopped before any change; 3 nodes are left (resume or
    roll back); 4 done but not proven.
    """
    given = {"--batch": batch, "--without": without, "--allow": allow}
    given |= {"--skip": skip, "--only": only}
    if plan_file is not None:
        _refuse_decided(given)
    roster, choices = load_roster(site), chosen(batch, without, allow, skip, only)
    plan = _plan(roster, plan_file, choices)
    if dry_run:
        print(dump_plan(plan).decode() if as_json else plan_text(plan))
        return
    if not as_json:
        print(plan_text(plan), file=sys.stderr)
    if not yes:
        confirm(plan)
    with progress(len(plan.steps)) as lines:
        means = hands(lines, Limits(failures=max_failures))
        directory, ended = _run(_begin(plan, roster, runs or runs_directory(), means))
    _finish(directory, ended, as_json)


def _refuse_decided(given: Mapping[str, object]) -> None:
    """Refuse options that a plan file has decided already.

    Raises:
        UsageError: One of them is given.
    """
    if ignored := [name for name, value in given.items() if value]:
        hint = "make a new plan with them: reseal site plan"
        words = f"{', '.join(ignored)}: the plan has decided that"
        raise UsageError(words, hint=hint)


def _plan(roster: Roster, plan_file: Path | None, choices: Choices) -> Plan:
    """Return a new plan, or the given one if the world has not moved since."""
    facts = asyncio.run(surveyed(roster))
    if plan_file is None:
        return planned(facts, choices)
    plan = parse_plan(read(plan_file), str(plan_file))
    require_unmoved(plan, facts)
    return plan


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Carry out a run; Ctrl-C leaves it where `resume` finds it.

    Raises:
        Interrupted: The operator stopped it.
    """
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        hint = "go on with: reseal site resume; or take it back: reseal site rollback"
        raise Interrupted("stopped in the middle of a run", hint=hint) from None


async def _begin(
    plan: Plan, roster: Roster, runs: Path, means: Hands
) -> tuple[RunDirectory, Ended]:
    async with Fleet(roster) as fleet:
        return await campaign.begin(plan, roster, fleet, runs, means)


def resume(
    run: RunName = None,
    runs: Runs = None,
    max_failures: MaxFailures = 3,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped or left nodes behind.

    What is done is not done again: reseal looks at the nodes first.

    Example: reseal site resume
    """
    directory = RunDirectory.find(runs or runs_directory(), run)

    async def work(lines: Lines) -> Ended:
        async with Fleet(directory.roster()) as fleet:
            means = hands(lines, Limits(failures=max_failures))
            return await campaign.resume(directory, fleet, means)

    with progress(len(directory.plan().steps)) as lines:
        ended = _run(work(lines))
    _finish(directory, ended, as_json)


def rollback(
    run: RunName = None,
    runs: Runs = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give the CA and every node back the files they had before a run.

    Example: reseal site rollback
    """
    directory = RunDirectory.find(runs or runs_directory(), run)
    if not yes:
        text = f"Give every node back its old certificates (run {directory.path.name})?"
        typer.confirm(text, abort=True, err=True)

    async def work(lines: Lines) -> Outcome:
        async with Fleet(directory.roster()) as fleet:
            return await campaign.rollback(directory, fleet, hands(lines, Limits()))

    with progress(len(directory.plan().steps)) as lines:
        outcome = _run(work(lines))
    if as_json:
        print_json(asdict(outcome))
    else:
        print(f"Rolled back: {len(outcome.done)} nodes have their old files.")
        for node, why in outcome.failed.items():
            print(shown(f"  {node}: {why}"))
    if not outcome.whole:
        raise typer.Exit(PARTLY)


def _finish(directory: RunDirectory, ended: Ended, as_json: bool) -> None:
    """Print how a run ended, and leave with the status that says so."""
    if as_json:
        data = directory.kept(REPORT)
        if data is None:
            raise NotFound(f"{directory.path}: no report was written")
        print_json(json.loads(data))
    else:
        print(verdict(ended.checks, ended.outcome))
        print(f"Report: {directory.path / PAGE}")
    if not ended.outcome.whole:
        raise typer.Exit(PARTLY)
    if not ended.proven:
        raise typer.Exit(UNPROVEN)
