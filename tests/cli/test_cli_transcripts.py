"""reseal says and does what the real `puppet cert` and `puppetserver ca` did.

Where ours has good reason to differ, the transcript stands in `ours/` beside the
real one, and README.md there gives the reason; `alike` leaves out what differs
everywhere.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

import pytest
from transcripts import DATA, Outcome, Stage, play

from reseal.cli.main import main

TOOLS = ("puppet-cert", "puppetserver-7", "puppetserver-8")
REAL = [
    path
    for tool in TOOLS
    for path in sorted((DATA / tool).glob("*.txt"))
    if not path.stem.startswith("running")
]

LATER = re.compile(r"~ . \d{4} ca/ca_pub\.pem")
"""A file that the Ruby CA makes when a verb needs it, and ours at once."""


class Reseal:
    """Plays the real tools' commands with reseal's own, in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, words: list[str], stdin: str) -> Outcome:
        if words[0] == "puppet":
            words += [
                f"--{name}dir={self.root / name}" for name in ("conf", "ssl", "var")
            ]
        out, err = io.StringIO(), io.StringIO()
        keyboard, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(words[1:])
        finally:
            sys.stdin = keyboard
        return Outcome(code, out.getvalue(), err.getvalue())


def alike(text: str, path: Path) -> str:
    """Return a transcript without what differs everywhere.

    The program that starts `puppetserver ca` sets a umask of 027, reseal does not.
    """
    if path.parent.name != "puppet-cert":
        return text.replace(" 0644 ", " 0640 ")
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not LATER.match(line))


def ours(path: Path) -> Path:
    return path.parent / "ours" / path.name


@pytest.mark.parametrize("path", REAL, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_ours_is_as_recorded(path: Path, tmp_path: Path) -> None:
    golden = (ours(path) if ours(path).exists() else path).read_text()
    root = tmp_path / "stage"
    played = play(golden, Reseal(root), Stage(root, str(root)))
    assert alike(played, path) == alike(golden, path)


def test_every_difference_is_one() -> None:
    for path in REAL:
        if ours(path).exists():
            real = alike(path.read_text(), path)
            assert alike(ours(path).read_text(), path) != real, path
