"""`reseal demo`: a whole site in a directory, regenerated before your eyes.

Sources: docs/tutorial/first-regeneration.md.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from reseal.cli.caoptions import examples
from reseal.cli.colour import Colour, colour_of
from reseal.cli.output import table
from reseal.demo.place import AGENTS, KEEPER, Place
from reseal.demo.story import Shown, end, raise_site, run, show_all, sign
from reseal.errors import UsageError, VerificationFailed

Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the site up, for playing with it.")
]
End = Annotated[
    Path | None,
    typer.Option("--end", metavar="DIR", help="End a site that was kept, and go."),
]
Report = Annotated[
    Path,
    typer.Option("--report", metavar="PATH", help="Where the report is written."),
]

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HEADER = "NODE", "SHOWS ITS", "TO THE SERVER", "TO THE SHOP"
_KEPT = """
The site is still up.  To play with it:

    export RESEAL_SITE={here}/site.toml RESEAL_RUNS={here}/runs
    reseal site survey
    reseal site regenerate
    reseal site rollback
    {here}/nodes/puppet/bin/reseal cert list -a
    {here}/nodes/web01/bin/reseal agent --test

and to end it:

    reseal demo --end {here}
"""
_BROKEN = """
What there is of the site is left, with its logs in {here}/nodes/*/log.
To end it:

    reseal demo --end {here}
"""


def demo(
    keep: Keep = False,
    end_directory: End = None,
    report: Report = Path("reseal-demo.html"),
    color: Colour = "",
) -> None:
    """See the main job in a minute: a small site, and all its certificates anew.

    Neither root nor Puppet is needed, and nothing but the report is left outside of a
    new directory.  Where a Puppet agent is installed, one joins.
    """
    if end_directory is not None:
        _end(end_directory)
        return
    for number in _ENDINGS:
        signal.signal(number, _end_now)
    place = Place(Path(tempfile.mkdtemp(prefix="reseal-demo-")).resolve())
    here = shlex.quote(str(place.path))
    told = _BROKEN
    try:
        _Stage(place, colour_of(color)).play(report.absolute())
        told = _KEPT
    finally:
        if keep:
            print(told.format(here=here), flush=True)
        else:
            _end_site(place)


def _end_now(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _end_site(place: Place) -> None:
    """End a site, whatever signal comes meanwhile: there is no worse moment."""
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    print("\nThe site is ended.", end=" ", flush=True)
    end(place)
    print("It is gone, and nothing of it runs.", flush=True)


class _Stage:
    """Where it is shown."""

    def __init__(self, place: Place, colour: bool | None) -> None:
        self._place = place
        self._bold = sys.stdout.isatty() if colour is None else colour

    def play(self, report: Path) -> None:
        place, show = self._place, self._show
        self._say(f"A site in {place.path}: the CA's host and {len(AGENTS)} agents")
        raise_site(place)
        self._say("Every agent asks for a certificate; the CA signs, the agents run")
        sign(place, show)
        self._say("Look at every node, and change nothing")
        run(place, show, None, "site", "survey")
        self._say("A new CA, every certificate after it, and the proof")
        run(place, show, None, "site", "regenerate", "--yes")
        self._say(
            f"Who gets what now; the shop is {KEEPER}'s, with copies of its files"
        )
        found = [*show_all(place)]
        print(table([_HEADER, *map(_row, found)]), flush=True)
        if not all(each.good for each in found):
            raise VerificationFailed("a certificate did not get what it should")
        self._say("The report")
        run(place, show, None, "site", "report", "--html", str(report))

    def _say(self, text: str) -> None:
        text = f"\x1b[1m{text}\x1b[0m" if self._bold else text
        print(f"\n{text}", flush=True)

    def _show(self, command: str) -> None:
        print(f"$ {command}", flush=True)


def _row(shown: Shown) -> tuple[str, ...]:
    return shown.name, f"{shown.age} certificate", *shown.answers


def _end(directory: Path) -> None:
    place = Place(directory.resolve())
    if not place.mark.is_file() or not place.site_file.is_file():
        hint = "reseal demo --keep told the directory when it ended"
        raise UsageError(f"{directory}: is not the site of a demo", hint=hint)
    if place.path.stat().st_uid != os.geteuid():
        hint = "its own scripts end it: whose it is has to run them"
        raise UsageError(f"{directory}: belongs to somebody else", hint=hint)
    _end_site(place)


def register(app: typer.Typer) -> None:
    """Add the command, which has no verbs, to the program."""
    app.command(
        "demo",
        epilog=examples(
            "reseal demo",
            "reseal demo --keep",
            "reseal demo --end /tmp/reseal-demo-x1y2z3",
        ),
    )(demo)
