"""Progress of long work: a live picture on a terminal, quiet lines elsewhere.

Both go to standard error; results never do.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reseal.cli.output import shown
from reseal.site.check import Check
from reseal.site.run import State
from reseal.site.sequence import Step

_SHOWN = 20
"""How many nodes at work the live picture shows."""


class Lines:
    """One line for each step that ends, and for what is said."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def step(self, step: Step, state: State, note: str) -> None:
        """Tell of a step."""
        if state != "begun":
            self.say(
                f"{step.node}: {step.title}: {state}{f' ({note})' if note else ''}"
            )

    def tell(self, step: str, words: str) -> None:
        """Tell what a step waits for; lines elsewhere leave it out."""

    def node(self, name: str) -> None:
        """Tell that a node was surveyed."""
        self.say(f"{name}: surveyed")

    def checked(self, checks: list[Check]) -> None:
        """Tell what was found wrong with a node."""
        for check in checks:
            if not check.ok:
                self.say(f"{check.node}: {check.name}: not proven: {check.note}")

    def say(self, text: str) -> None:
        """Say a line."""
        print(shown(text), file=sys.stderr, flush=True)


class Picture(Lines):
    """The phase, how far it is, and what each node at work is waiting for."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._total = total
        self._ended = 0
        self._phase = ""
        self._working: dict[str, tuple[str, float]] = {}
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=4
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def step(self, step: Step, state: State, note: str) -> None:
        self._phase = step.phase
        if state == "begun":
            self._working[step.node] = (step.title, time.monotonic())
            return
        self._working.pop(step.node, None)
        self._ended += 1
        if state == "failed":
            self.say(f"{step.node}: {step.title}: failed: {note}")

    def tell(self, step: str, words: str) -> None:
        name = step.partition("/")[0]
        since = self._working.get(name, ("", time.monotonic()))[1]
        self._working[name] = (words, since)

    def node(self, name: str) -> None:
        self._ended += 1

    def say(self, text: str) -> None:
        self._console.print(shown(text), highlight=False, markup=False)

    def _draw(self) -> Table:
        picture = Table.grid(padding=(0, 2))
        ended = f"{self._ended} of {self._total}"
        picture.add_row(Text(shown(self._phase), "bold"), ended)
        now = time.monotonic()
        for name, (words, since) in list(self._working.items())[:_SHOWN]:
            told = Text.assemble(shown(words), (f" {now - since:.0f} s", "dim"))
            picture.add_row(Text(f"  {shown(name)}"), told)
        if len(self._working) > _SHOWN:
            picture.add_row("  …", f"{len(self._working) - _SHOWN} more")
        return picture


def progress(total: int) -> Lines:
    """Return what fits standard error: a picture, or lines."""
    return Picture(total) if sys.stderr.isatty() else Lines()
