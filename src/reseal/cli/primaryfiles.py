"""Where the primary server's files are, by the server's own settings.

Sources: docs/reference/server-settings.md, `[primary]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from reseal.cli.where import host_name, overrides_of, service_flavour
from reseal.server.config import Config, Given, load_config

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="PATH", help="reseal.toml, elsewhere."),
]


def server_config(given: Mapping[str, str | None], settings: Path | None) -> Config:
    """Return the settings that `reseal server` would have.

    Args:
        given: Settings of the command line, by Puppet's names.
        settings: Another reseal.toml than the usual one.
    """
    told = Given(overrides_of(given), {}, settings)
    return load_config(service_flavour(), certname=host_name(), given=told)
