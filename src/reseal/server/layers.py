"""Settings in layers: each names what it sets and where that was said.

A layer is a mapping from a setting's name to the setting.  Names are those of
reseal.toml with their table (`ca.autosign`), and beside them the files the server's
own TLS is made of.  Later layers win; what wins keeps its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from reseal.primary.options import PrimaryOptions
from reseal.server.options import CaOptions, ListenerOptions

DEFAULT = "default"
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force.

    Attributes:
        name: As `ca.autosign`.
        value: As the options hold it.
        source: `default`, a file with the place in it, or `command line`.
    """

    name: str
    value: object
    source: str


Layer = dict[str, Setting]


def layer_of(source: Path | str, values: Mapping[str, object]) -> Layer:
    """Return the layer of what one source says; None says nothing."""
    return {
        name: Setting(name, value, str(source))
        for name, value in values.items()
        if value is not None
    }


def defaults() -> Layer:
    """Return what holds where nothing is said."""
    tables: dict[str, Any] = {
        "ca": CaOptions(),
        "listener": ListenerOptions(),
        "primary": PrimaryOptions(),
    }
    return {
        f"{table}.{each.name}": Setting(
            f"{table}.{each.name}", getattr(options, each.name), DEFAULT
        )
        for table, options in tables.items()
        for each in fields(options)
    }
