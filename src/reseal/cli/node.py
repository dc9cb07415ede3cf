"""`reseal node`: what `reseal site` has done on a node that has reseal and no Puppet.

It is no command for people, and so `reseal --help` does not show it.

Sources: docs/reference/node.md.
"""

from __future__ import annotations

from typing import Annotated

import typer

from reseal.cli.deed import deed
from reseal.node.verbs import VERBS

Verb = Annotated[str, typer.Argument(metavar="VERB", help=", ".join(VERBS))]
Args = Annotated[
    list[str] | None, typer.Argument(metavar="ARG...", help="As the verb wants them.")
]


def node(verb: Verb, args: Args = None) -> None:
    """Carry out one act of a regeneration on this node; for `reseal site`."""
    raise typer.Exit(deed(verb, args or ()))


def register(app: typer.Typer) -> None:
    """Add the command, which has no verbs that are commands, to the program."""
    app.command(
        "node",
        hidden=True,
        context_settings={"ignore_unknown_options": True},
    )(node)
