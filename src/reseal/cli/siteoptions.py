"""What the commands of `reseal site` share: options, survey, plan, hands."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from reseal.cli.progress import Lines, progress
from reseal.clock import SystemClock
from reseal.errors import UsageError
from reseal.site.campaign import Hands
from reseal.site.context import Limits
from reseal.site.facts import NodeFacts
from reseal.site.fleet import Fleet
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.roster import Roster
from reseal.site.survey import survey

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
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="EXTENSION",
        help="Leave the copies of an extension as they are (repeatable).",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="EXTENSION",
        help="Renew the copies of this extension from the certificates that nodes "
        "have, and nothing else (repeatable).",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option("--batch", min=1, help="Nodes worked on at once; 50 without it."),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="Carry out this plan, unchanged.")
]
MaxFailures = Annotated[
    int, typer.Option(min=0, help="Nodes that may fail before no batch begins.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan and change nothing.")
]
SITE = Path("site.toml")


async def surveyed(roster: Roster) -> tuple[NodeFacts, ...]:
    """Survey every node of a roster."""
    with progress(len(roster.nodes)) as shown:
        async with Fleet(roster) as fleet:
            return await survey(
                fleet, roster, SystemClock(), lambda facts: shown.node(facts.name)
            )


def chosen(
    batch: int | None,
    without: list[str] | None,
    allow: list[str] | None,
    skip: list[str] | None,
    only: list[str] | None,
) -> Choices:
    """Return what the operator decided about a run.

    Raises:
        UsageError: Decisions that exclude each other.
    """
    if only and (skip or allow):
        words = "--only: renews copies and signs nothing; no --skip or --allow with it"
        raise UsageError(words, hint="give one or the other")
    lists = (tuple(each or ()) for each in (without, allow, skip, only))
    choices = Choices(50, *lists)
    return choices if batch is None else replace(choices, batch=batch)


def planned(facts: tuple[NodeFacts, ...], choices: Choices) -> Plan:
    """Plan a regeneration under a new name."""
    now = SystemClock().now()
    run = f"{now:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(2)}"
    return make_plan(facts, choices, run=run, now=now)


def hands(shown: Lines, limits: Limits) -> Hands:
    """Return what a run is carried out with."""
    clock, say = SystemClock(), shown.say
    return Hands(clock, limits, shown.step, shown.tell, shown.checked, say)
