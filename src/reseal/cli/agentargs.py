"""Puppet's settings as options of a command: `--certname web01`, `--ssldir=DIR`.

Puppet's programs take every setting that way, in either spelling; what is no setting of
an agent's is left to the command.

Sources: Puppet 8, `settings.rb` (`addargs`), `application.rb`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from reseal.agent.settings import NAMES, AgentSettings, load_agent_settings
from reseal.cli.where import flavour, host_name, overrides_of
from reseal.errors import UsageError

_OWN = ("noop", "show_diff", "splay", "report")
"""Settings that are options without a value as well."""

_NAMES = (NAMES | {"config", "publicdir", "rundir"}) - set(_OWN)
META = "reseal.settings"


class SettingsCommand(TyperCommand):
    """A command that takes Puppet's settings as options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest, found = split(args)
        ctx.meta[META] = found
        return super().parse_args(ctx, rest)


def split(args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return what is left of a command line, and the settings in it.

    Raises:
        UsageError: A setting has no value.
    """
    rest: list[str] = []
    found: dict[str, str] = {}
    words = iter(args)
    for word in words:
        if word == "--":
            rest += [word, *words]
            break
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in _NAMES:
            rest.append(word)
            continue
        if not equals:
            try:
                value = next(words)
            except StopIteration:
                raise UsageError(f"{word}: needs a value") from None
        found[name] = value
    return rest, found


def agent_settings(context: typer.Context) -> AgentSettings:
    """Return the settings of an agent, by puppet.conf and this command line.

    Raises:
        UsageError: There is no such puppet.conf.
        SettingsError: puppet.conf, or a value of the command line, is wrong.
    """
    told = overrides_of_node(context.meta[META])
    os.umask(0o022)
    return load_agent_settings(flavour(), certname=host_name(), overrides=told)


def overrides_of_node(given: Mapping[str, str]) -> dict[str, str]:
    """Return what a command line gives, with paths made absolute; `UsageError`."""
    given = dict(given)
    for name in ("ssldir", "vardir", "confdir", "rundir", "publicdir"):
        if name in given:
            given[name] = str(Path(given[name]).expanduser().absolute())
    return overrides_of(given)
