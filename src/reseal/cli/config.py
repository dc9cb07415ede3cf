"""`reseal config print`: the settings in force, as `puppet config print`.

Sources: Puppet 8, `face/config.rb`; transcript in `tests/data/config/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Literal

import typer

from reseal.agent.settings import agent_fields
from reseal.cli.agentargs import META, SettingsCommand, overrides_of_node
from reseal.cli.caoptions import Json, examples
from reseal.cli.output import print_json, shown
from reseal.cli.where import flavour, host_name, settings_for
from reseal.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show the settings in force, as `puppet config`.",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME...", help="Of settings; all without it."),
]
Section = Annotated[
    Literal["main", "agent", "server", "master"],
    typer.Option(help="Whose: an agent's, or the CA's as a server reads them."),
]


@app.callback()
def _verbs() -> None:
    """Keep the verb a word of its own."""


@app.command(
    "print",
    cls=SettingsCommand,
    epilog=examples(
        "reseal config print",
        "reseal config print ssldir",
        "reseal config print server server_list --json",
        "reseal config print cadir --section server",
        "reseal config print hostcert --certname web01.example.com",
    ),
)
def print_settings(
    context: typer.Context,
    names: Names = None,
    section: Section = "agent",
    json: Json = False,
) -> None:
    """Print settings, with what puppet.conf does not set at Puppet's defaults.

    One setting is printed as its value, several as `name = value`; durations are in
    seconds.
    """
    given = context.meta[META]
    if section in ("server", "master"):
        found = in_words(asdict(settings_for(given)))
        del found["ca_ttl_given"]
    else:
        told = overrides_of_node(given)
        found = in_words(agent_fields(flavour(), certname=host_name(), overrides=told))
    found["config"] = f"{found['confdir']}/puppet.conf"
    wanted = {name: _of(found, name, section) for name in sorted(names or found)}
    if json:
        print_json(wanted)
    elif names and len(names) == 1:
        print(shown(wanted[names[0]]))
    else:
        for name, value in wanted.items():
            print(shown(f"{name} = {value}"))


def _of(found: Mapping[str, str], name: str, section: str) -> str:
    if name not in found:
        raise UsageError(
            f"{name}: no setting that reseal reads for {section}",
            hint="reseal config print lists those it reads; --section server the CA's",
        )
    return found[name]


def in_words(values: Mapping[str, object]) -> dict[str, str]:
    """Return settings as Puppet prints them."""
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return str(int(value.total_seconds()))
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
