"""`reseal site`: see a site, plan, regenerate, resume, roll back, prove, tell."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from reseal.cli.output import print_json, table
from reseal.cli.progress import Lines, progress
from reseal.cli.siteview import confirm, plan_text, survey_text, verdict
from reseal.clock import SystemClock
from reseal.errors import JournalError, NotFound
from reseal.files import read, replace
from reseal.site import campaign
from reseal.site.campaign import Ended, Hands
from reseal.site.context import Limits
from reseal.site.drift import require_unmoved
from reseal.site.facts import NodeFacts
from reseal.site.fleet import Fleet
from reseal.site.journal import read_journal
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.roster import Roster, load_roster
from reseal.site.run import Outcome
from reseal.site.rundir import (
    JOURNAL,
    PAGE,
    REPORT,
    RunDirectory,
    dump_plan,
    parse_plan,
    runs_directory,
)
from reseal.site.survey import survey as survey_site
from reseal.site.verify import Check

app = typer.Typer(
    no_args_is_help=True,
    help="Regenerate every certificate of a site: see first, then one command.",
)

PARTLY = 3
"""Exit status: some nodes are left to be done."""

UNPROVEN = 4
"""Exit status: everything was done, and the proof found something wrong."""

SiteFile = Annotated[
    Path,
    typer.Option("--site", "-s", envvar="RESEAL_SITE", help="The site file (TOML)."),
]
Runs = Annotated[
    Path | None, typer.Option("--runs", help="Where runs are kept.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
RunName = Annotated[
    str | None, typer.Argument(help="The run's name; the latest run without one.")
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="NODE", help="Leave a node out (repeatable)."),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="NODE",
        help="Sign this node's request even if its names or extensions differ from "
        "its old certificate's (repeatable).",
    ),
]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Nodes worked on at once.")]
_SITE = Path("site.toml")


@app.command()
def survey(site: SiteFile = _SITE, as_json: Json = False) -> None:
    """Look at every node and change nothing.

    Example: reseal site survey --site site.toml
    """
    facts = asyncio.run(_surveyed(load_roster(site)))
    if as_json:
        adapter = TypeAdapter(tuple[NodeFacts, ...])
        print_json(adapter.dump_python(facts, mode="json"))
    else:
        print(survey_text(facts))
    if any(f.severity != "warning" for node in facts for f in node.faults):
        raise typer.Exit(1)


@app.command()
def plan(
    site: SiteFile = _SITE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the plan to this file.")
    ] = None,
    batch: Batch = 50,
    without: Without = None,
    allow: Allow = None,
    as_json: Json = False,
) -> None:
    """Print what a regeneration would do, step by step, and change nothing.

    Example: reseal site plan --out plan.json && reseal site regenerate --plan plan.json
    """
    roster = load_roster(site)
    choices = Choices(batch, tuple(without or ()), tuple(allow or ()))
    made = _planned(asyncio.run(_surveyed(roster)), choices)
    if out is not None:
        replace(out, dump_plan(made), mode=0o600)
    if as_json:
        sys.stdout.write(dump_plan(made).decode())
    else:
        print(plan_text(made))


@app.command()
def regenerate(
    site: SiteFile = _SITE,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="Carry out this plan, unchanged.")
    ] = None,
    batch: Batch = 50,
    without: Without = None,
    allow: Allow = None,
    max_failures: Annotated[
        int, typer.Option(min=0, help="Nodes that may fail before no batch begins.")
    ] = 3,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and change nothing.")
    ] = False,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Replace the CA and every certificate of the site, and prove it.

    Example: reseal site regenerate --site site.toml

    Exit status: 0 proven; 1 stopped before any change; 3 nodes are left (resume or
    roll back); 4 done but not proven.
    """
    roster = load_roster(site)
    facts = asyncio.run(_surveyed(roster))
    if plan_file is not None:
        made = parse_plan(read(plan_file), str(plan_file))
        require_unmoved(made, facts)
    else:
        choices = Choices(batch, tuple(without or ()), tuple(allow or ()))
        made = _planned(facts, choices)
    if not as_json:
        print(plan_text(made), file=sys.stdout if dry_run else sys.stderr)
    if dry_run:
        return
    if not yes:
        confirm(made)
    limits = Limits(failures=max_failures)

    async def run(shown: Lines) -> tuple[RunDirectory, Ended]:
        async with Fleet(roster) as fleet:
            return await campaign.begin(
                made, roster, fleet, runs or runs_directory(), _hands(shown, limits)
            )

    with progress(len(made.steps)) as shown:
        directory, ended = asyncio.run(run(shown))
    _finish(directory, ended, as_json)


@app.command()
def resume(run: RunName = None, runs: Runs = None, as_json: Json = False) -> None:
    """Go on with a run that was stopped or left nodes behind.

    What is done is not done again: reseal looks at the nodes first.

    Example: reseal site resume
    """
    directory = RunDirectory.find(runs or runs_directory(), run)

    async def work(shown: Lines) -> Ended:
        async with Fleet(directory.roster()) as fleet:
            return await campaign.resume(directory, fleet, _hands(shown, Limits()))

    with progress(len(directory.plan().steps)) as shown:
        ended = asyncio.run(work(shown))
    _finish(directory, ended, as_json)


@app.command()
def rollback(
    run: RunName = None,
    runs: Runs = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Give the CA and every node back the files they had before a run.

    Example: reseal site rollback
    """
    directory = RunDirectory.find(runs or runs_directory(), run)
    if not yes:
        text = f"Give every node back its old certificates (run {directory.path.name})?"
        typer.confirm(text, abort=True, err=True)

    async def work(shown: Lines) -> Outcome:
        async with Fleet(directory.roster()) as fleet:
            return await campaign.rollback(directory, fleet, _hands(shown, Limits()))

    with progress(len(directory.plan().of("ca"))) as shown:
        outcome = asyncio.run(work(shown))
    if as_json:
        print_json(asdict(outcome))
    else:
        print(f"Rolled back: {len(outcome.done)} nodes have their old files.")
        for node, why in outcome.failed.items():
            print(f"  {node}: {why}")
    if outcome.failed or outcome.untouched:
        raise typer.Exit(PARTLY)


@app.command()
def status(run: RunName = None, runs: Runs = None, as_json: Json = False) -> None:
    """Tell how far a run is, from its journal.

    Example: reseal site status
    """
    directory = RunDirectory.find(runs or runs_directory(), run)
    made, last = directory.plan(), {}
    lines = list(read_journal(directory.path / JOURNAL))
    for line in lines:
        if line.step:
            last[line.step] = line
    rows = [
        {
            "node": step.node,
            "step": step.action,
            "phase": step.phase,
            "state": last[step.id].event if step.id in last else "planned",
            "note": last[step.id].note if step.id in last else "",
        }
        for step in made.steps
    ]
    end = lines[-1].note if lines and lines[-1].event == "end" else "unfinished"
    if as_json:
        print_json({"run": made.run, "state": end, "steps": rows})
        return
    print(f"Run {made.run}: {end}")
    heads = ("PHASE", "NODE", "STEP", "STATE", "NOTE")
    cells = [(r["phase"], r["node"], r["step"], r["state"], r["note"]) for r in rows]
    print(table([heads, *cells]))


@app.command()
def verify(run: RunName = None, runs: Runs = None, as_json: Json = False) -> None:
    """Prove a run's site by handshakes: new certificates accepted, old ones refused.

    Example: reseal site verify
    """
    directory = RunDirectory.find(runs or runs_directory(), run)

    async def work() -> list[Check]:
        async with Fleet(directory.roster()) as fleet:
            return await campaign.verify(directory, fleet, _hands(Lines(), Limits()))

    checks = asyncio.run(work())
    if as_json:
        print_json([asdict(each) for each in checks])
    else:
        print(verdict(checks))
    if not all(each.ok for each in checks):
        raise typer.Exit(UNPROVEN)


@app.command()
def report(
    run: RunName = None,
    runs: Runs = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the page to this file.")
    ] = None,
) -> None:
    """Print a run's report as JSON, or write it as one HTML page.

    Example: reseal site report --html report.html
    """
    directory = RunDirectory.find(runs or runs_directory(), run)
    data, page = directory.kept(REPORT), directory.kept(PAGE)
    if data is None or page is None:
        hint = "finish the run first: reseal site resume"
        raise JournalError(f"{directory.path.name}: has no report yet", hint=hint)
    if html is not None:
        replace(html, page, mode=0o644)
    else:
        print_json(json.loads(data))


async def _surveyed(roster: Roster) -> tuple[NodeFacts, ...]:
    with progress(len(roster.nodes)) as shown:
        async with Fleet(roster) as fleet:
            return await survey_site(
                fleet, roster, SystemClock(), lambda facts: shown.node(facts.name)
            )


def _planned(facts: tuple[NodeFacts, ...], choices: Choices) -> Plan:
    now = SystemClock().now()
    run = f"{now:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(2)}"
    return make_plan(facts, choices, run=run, now=now)


def _hands(shown: Lines, limits: Limits) -> Hands:
    return Hands(SystemClock(), limits, shown.step, shown.tell, shown.checked)


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
    if ended.outcome.failed or ended.outcome.untouched:
        raise typer.Exit(PARTLY)
    if not ended.proven:
        raise typer.Exit(UNPROVEN)
