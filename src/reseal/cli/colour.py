"""The option `--color`, as Puppet's programs have it.

Sources: Puppet 8, `util/colors.rb`, `defaults.rb` (`color`).
"""

from __future__ import annotations

from typing import Annotated

import typer

Colour = Annotated[
    str,
    typer.Option(
        "--color",
        metavar="true|false",
        help="Colours or none, wherever the lines go.",
        show_default=False,
    ),
]
_MEANINGS = {"true": True, "ansi": True, "false": False}


def colour_of(told: str) -> bool | None:
    """Return whether lines are coloured; None leaves it to each being a terminal's."""
    return _MEANINGS.get(told)
