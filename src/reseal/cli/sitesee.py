"""The commands of `reseal site` that only look."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from reseal.certname import Certname
from reseal.cli.exits import UNPROVEN
from reseal.cli.output import print_json, table
from reseal.cli.progress import Lines
from reseal.cli.siteoptions import (
    SITE,
    Allow,
    Batch,
    Json,
    Only,
    RunName,
    Runs,
    SiteFile,
    Skip,
    Without,
    chosen,
    hands,
    planned,
    surveyed,
)
from reseal.cli.siteview import plan_text, survey_text, verdict
from reseal.files import replace
from reseal.site import campaign
from reseal.site.check import Check
from reseal.site.context import Limits
from reseal.site.discover import Discovered, site_file, ssh_hosts
from reseal.site.discover import discover as discover_site
from reseal.site.facts import NodeFacts
from reseal.site.fleet import Fleet
from reseal.site.journal import read_journal
from reseal.site.report import page_of
from reseal.site.roster import Node, Roster, SshSettings, load_roster
from reseal.site.rundir import (
    JOURNAL,
    RunDirectory,
    dump_plan,
    runs_directory,
)


def discover(
    ca: Annotated[str, typer.Option("--ca", help="Certname of the CA's host.")],
    ssh_config: Annotated[
        Path | None, typer.Option("--ssh-config", help="As ssh -F; ~/.ssh/config.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="The CA is on this machine.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a site file made from what the CA has signed, and change nothing.

    Example: reseal site discover --ca puppet.example.com > site.toml
    """
    host = Node(Certname(ca), ("ca",), ca, "local" if local else "ssh")
    roster = Roster((host,), SshSettings(config=ssh_config))

    async def look() -> Discovered:
        async with Fleet(roster) as fleet:
            return await discover_site(await fleet.connect(host))

    found = asyncio.run(look())
    if as_json:
        print_json(asdict(found))
        return
    own = ssh_config or Path("~/.ssh/config").expanduser()
    hosts = ssh_hosts(own) if own.exists() else {}
    print(site_file(found, hosts, ssh_config), end="")


def survey(site: SiteFile = SITE, as_json: Json = False) -> None:
    """Look at every node and change nothing.

    Example: reseal site survey --site site.toml
    """
    facts = asyncio.run(surveyed(load_roster(site)))
    if as_json:
        adapter = TypeAdapter(tuple[NodeFacts, ...])
        print_json(adapter.dump_python(facts, mode="json"))
    else:
        print(survey_text(facts))
    if any(f.severity != "warning" for node in facts for f in node.faults):
        raise typer.Exit(1)


def plan(
    site: SiteFile = SITE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the plan to this file.")
    ] = None,
    batch: Batch = None,
    without: Without = None,
    allow: Allow = None,
    skip: Skip = None,
    only: Only = None,
    as_json: Json = False,
) -> None:
    """Print what a regeneration would do, step by step, and change nothing.

    Example: reseal site plan --out plan.json && reseal site regenerate --plan plan.json
    """
    roster = load_roster(site)
    choices = chosen(batch, without, allow, skip, only)
    made = planned(asyncio.run(surveyed(roster)), choices)
    if out is not None:
        replace(out, dump_plan(made), mode=0o600)
    if as_json:
        sys.stdout.write(dump_plan(made).decode())
    else:
        print(plan_text(made))


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


def verify(run: RunName = None, runs: Runs = None, as_json: Json = False) -> None:
    """Prove a run's site by handshakes: new certificates accepted, old ones refused.

    Example: reseal site verify
    """
    directory = RunDirectory.find(runs or runs_directory(), run)

    async def work() -> list[Check]:
        async with Fleet(directory.roster()) as fleet:
            return await campaign.verify(directory, fleet, hands(Lines(), Limits()))

    checks = asyncio.run(work())
    if as_json:
        print_json([asdict(each) for each in checks])
    else:
        print(verdict(checks))
    if not all(each.ok for each in checks):
        raise typer.Exit(UNPROVEN)


def report(
    run: RunName = None,
    runs: Runs = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the page to this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a run's report as JSON, or write it as one HTML page.

    A run that is not finished is told as far as it got.

    Example: reseal site report --html report.html
    """
    directory = RunDirectory.find(runs or runs_directory(), run)
    document = campaign.report_now(directory)
    if html is not None:
        # A link that somebody has put there is replaced, and not what it leads to.
        replace(html, page_of(document).encode(), mode=0o644, follow=False)
    if html is None or as_json:
        print_json(document)
