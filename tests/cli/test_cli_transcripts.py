"""`reseal cert` says and does what the real `puppet cert` said and did.

Where ours has good reason to differ, the transcript stands in `ours/` beside the
real one, and README.md there gives the reason; `ALWAYS` are differences everywhere.
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

REAL = DATA / "puppet-cert"
OURS = DATA / "puppet-cert" / "ours"

ALWAYS = re.compile(r"~ . \d{4} ca/ca_pub\.pem")
"""Files that the Ruby CA makes later, by a verb that needs them, and ours at once."""


class Reseal:
    """Plays `puppet …` with reseal's own command line, in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, words: list[str], stdin: str) -> Outcome:
        assert words.pop(0) == "puppet"
        options = [f"--{name}dir={self.root / name}" for name in ("conf", "ssl", "var")]
        out, err = io.StringIO(), io.StringIO()
        keyboard, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([words[0], *options, *words[1:]])
        finally:
            sys.stdin = keyboard
        return Outcome(code, out.getvalue(), err.getvalue())


def without(text: str) -> str:
    return "".join(
        line for line in text.splitlines(keepends=True) if not ALWAYS.match(line)
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in REAL.glob("*.txt")))
def test_cert_is_as_recorded(name: str, tmp_path: Path) -> None:
    ours = OURS / f"{name}.txt"
    golden = (ours if ours.exists() else REAL / f"{name}.txt").read_text()
    root = tmp_path / "stage"
    played = play(golden, Reseal(root), Stage(root, str(root)))
    assert without(played) == without(golden)


def test_every_difference_is_one() -> None:
    for path in OURS.glob("*.txt"):
        assert path.read_text() != (REAL / path.name).read_text(), path.name
