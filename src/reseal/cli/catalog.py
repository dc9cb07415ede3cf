"""`reseal catalog`: the folder that static catalogs are made of."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer

from reseal.certname import Certname
from reseal.cli.caoptions import Config, Json, examples
from reseal.cli.exits import FINDINGS
from reseal.cli.output import print_json, shown, table
from reseal.cli.primaryfiles import SettingsFile, server_config
from reseal.primary.options import folder_of
from reseal.primary.protocol import Wanted
from reseal.primary.static import StaticCatalogs, review

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look through the files that static catalogs are made of.",
)

FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="Instead of the server's own."),
]
Node = Annotated[str, typer.Argument(metavar="NAME", help="Of the node.")]


@app.command(
    epilog=examples("reseal catalog check", "reseal catalog check --folder ./catalogs")
)
def check(
    folder: FolderOption = None,
    json: Json = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Say every mistake with file and line; 3 if there is one."""
    root = _folder(folder, config, settings)
    found = review(root)
    if json:
        print_json(
            {
                "folder": str(root),
                "nodes": found.nodes,
                "groups": found.groups,
                "faults": list(found.faults),
                "notes": list(found.notes),
            }
        )
    else:
        for text in found.faults:
            print(shown(text))
        for text in found.notes:
            print(shown(f"note: {text}"))
        size = f"{_many(found.groups, 'group')} and {_many(found.nodes, 'node')}"
        print(shown(f"{root}: {size}: {_many(len(found.faults), 'mistake')}"))
    if found.faults:
        raise typer.Exit(FINDINGS)


@app.command(
    epilog=examples(
        "reseal catalog show web01.example.com",
        "reseal catalog show web01.example.com --json | jq .resources",
    )
)
def show(
    name: Node,
    folder: FolderOption = None,
    json: Json = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Show what a node gets: each resource and where it is declared."""
    root = _folder(folder, config, settings)
    wanted = Wanted(Certname(name), "production")
    catalog = jsons.loads(StaticCatalogs(root).catalog(wanted))
    if json:
        print_json(catalog)
        return
    rows = [
        (f"{each['type']}[{each['title']}]", f"{each['file']}:{each['line']}")
        for each in catalog["resources"]
        if "file" in each
    ]
    print(table(rows) if rows else f"{shown(name)}: gets nothing")


def _many(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _folder(folder: Path | None, config: str | None, settings: Path | None) -> Path:
    if folder is not None:
        return folder.absolute()
    found = server_config({"config": config}, settings)
    return folder_of(found.options.primary, found.puppet)
