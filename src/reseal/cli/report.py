"""`reseal report`: what nodes have told of their runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from reseal.certname import Certname
from reseal.cli.caoptions import Config, Json, examples
from reseal.cli.output import print_json, shown, table
from reseal.cli.primaryfiles import SettingsFile, server_config
from reseal.clock import SystemClock
from reseal.errors import NotFound
from reseal.primary.make import records_of
from reseal.primary.records import Records

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read the reports that nodes have sent to this server.",
)

MaybeNode = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Of a node; all without it.")
]
Node = Annotated[str, typer.Argument(metavar="NAME", help="Of the node.")]
Which = Annotated[
    str | None,
    typer.Argument(metavar="REPORT", help="As `list` names it; the newest without."),
]
_HEAD = ("node", "status", "changed", "failed", "Puppet", "report")


@app.command(
    "list",
    epilog=examples("reseal report list", "reseal report list web01.example.com"),
)
def list_reports(
    name: MaybeNode = None,
    json: Json = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """List the newest report of every node, or all of one node."""
    records = _records(config, settings)
    if name is None:
        found = [(node, records.reports(node)[-1:]) for node in records.nodes()]
    else:
        node = Certname(name)
        found = [(node, _some(records, node))]
    rows = [(n, each, records.report(n, each)) for n, all_ in found for each in all_]
    if json:
        print_json([_summary(*row) for row in rows])
    elif rows:
        print(table([_HEAD, *(_row(*row) for row in rows)]))
    else:
        print("no node has sent a report")


@app.command(
    epilog=examples(
        "reseal report show web01.example.com",
        "reseal report show web01.example.com --json",
    )
)
def show(
    name: Node,
    which: Which = None,
    json: Json = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Show a report: what was said, what was changed, what failed."""
    records, node = _records(config, settings), Certname(name)
    found = which or _some(records, node)[-1]
    report = records.report(node, found)
    if json:
        print_json(report)
        return
    print(table(list(_facts(report, found))))
    for line in _log(report):
        print(shown(line))


def _records(config: str | None, settings: Path | None) -> Records:
    found = server_config({"config": config}, settings)
    return records_of(found.options.primary, found.puppet, SystemClock())


def _some(records: Records, node: Certname) -> list[str]:
    """Return the names of a node's reports; NotFound if there are none."""
    found = records.reports(node)
    if not found:
        hint = f"nodes that have sent some: {', '.join(records.nodes()) or 'none'}"
        raise NotFound(f"{node}: has sent no report", hint=hint)
    return found


def _counts(report: dict[str, Any], group: str, name: str) -> int:
    """Return a number of the report's metrics; 0 if it is not there."""
    try:
        values = report["metrics"][group]["values"]
        return next(int(value) for each, _, value in values if each == name)
    except (KeyError, TypeError, ValueError, StopIteration):
        return 0


def _summary(node: Certname, name: str, report: dict[str, Any]) -> dict[str, Any]:
    return {
        "node": node,
        "report": name,
        "time": report.get("time"),
        "status": report.get("status"),
        "noop": bool(report.get("noop")),
        "changed": _counts(report, "resources", "changed"),
        "failed": _counts(report, "resources", "failed"),
        "environment": report.get("environment"),
        "puppet_version": report.get("puppet_version"),
    }


def _row(node: Certname, name: str, report: dict[str, Any]) -> tuple[str, ...]:
    told = _summary(node, name, report)
    keys = ("node", "status", "changed", "failed", "puppet_version", "report")
    return tuple(str(told[key]) for key in keys)


def _facts(report: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    yield "report", name
    for key in ("host", "time", "status", "environment", "puppet_version"):
        yield key.replace("_", " "), str(report.get(key))
    yield "catalog", str(report.get("configuration_version"))
    for key in ("total", "changed", "failed", "skipped", "out_of_sync"):
        yield key.replace("_", " "), str(_counts(report, "resources", key))


def _log(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the log as the agent printed them."""
    logs = report.get("logs")
    listed = [each for each in logs if isinstance(each, dict)] if logs else []
    if listed:
        yield ""
    for each in listed:
        level = str(each.get("level", "")).replace("err", "error").capitalize()
        source = str(each.get("source", "Puppet"))
        said = str(each.get("message", ""))
        yield f"{level}: {said}" if source == "Puppet" else f"{level}: {source}: {said}"
