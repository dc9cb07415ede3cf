"""The program: nouns, put together, and errors turned into lines and exit codes.

Each noun is a module whose `app` is a typer app, or which registers a command without
verbs; that is done here and nowhere else.
Only the noun that is called is loaded, so that `reseal cert` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Annotated

import typer

from reseal import __version__
from reseal.cli.exits import FAILED, INTERRUPTED, exit_code
from reseal.cli.output import print_error
from reseal.errors import ResealError

NOUNS = {
    "cert": "cert",
    "ca": "ca",
    "server": "server",
    "master": "server",
    "agent": "agent",
    "site": "site",
    "ssl": "ssl",
    "catalog": "catalog",
    "report": "report",
    "resource": "resource",
    "config": "config",
    "demo": "demo",
    "node": "node",
}
"""The nouns in the order of `reseal --help`, each with its module."""

_OLD = {"master"}
"""Nouns of Puppet's past, which are taken and not told of."""


def main(argv: Sequence[str]) -> int:
    """Carry out a command line and return the exit code.

    Args:
        argv: The words after the program's name.
    """
    try:
        called = argv[:1] if argv and argv[0] in NOUNS else [*NOUNS]
        build(called)(args=list(argv), prog_name="reseal")
    except ResealError as error:
        print_error(error)
        return exit_code(error)
    except ExceptionGroup as several:
        return _several(several)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        if code == INTERRUPTED:
            print("reseal: error: interrupted", file=sys.stderr)
        return code
    return 0


def _several(group: ExceptionGroup[Exception]) -> int:
    """Print the errors of work that was done at once; anything else is a bug."""
    known, unknown = group.split(ResealError)
    if unknown is not None or known is None:
        raise group
    for error in _leaves(known):
        print_error(error)
    return FAILED


def _leaves(group: ExceptionGroup[ResealError]) -> Iterator[ResealError]:
    for each in group.exceptions:
        if isinstance(each, ExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def build(nouns: Iterable[str] = NOUNS) -> typer.Typer:
    """Return the command line with these nouns."""
    app = typer.Typer(
        help="The certificate authority of a Puppet site, and the one command that "
        "regenerates every certificate in it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in nouns:
        found = import_module(f"reseal.cli.{NOUNS[name]}")
        if hasattr(found, "register"):
            found.register(app)
        else:
            app.add_typer(found.app, name=name, hidden=name in _OLD)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Say which one."
        ),
    ] = False,
) -> None:
    """Carry the options of the program as a whole."""
