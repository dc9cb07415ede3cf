"""Transcripts of `puppet resource service`, and what of them reseal does alike.

`python resourcescript.py OURS GOLDEN` says where the first is not the second.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Heard = tuple[int, list[str], list[str]]


@dataclass(frozen=True)
class Case:
    """A command line and what was heard."""

    words: str
    code: int
    out: str
    err: str

    @property
    def argv(self) -> list[str]:
        if self.words == "it's ensure=stopped":
            return ["it's", "ensure=stopped"]
        return shlex.split(self.words) if self.words else [""]

    @property
    def keeps_enabled(self) -> bool:
        """Whether Puppet has failed to disable a service, and takes it for enabled."""
        return "dpkg" in self.err

    @property
    def otherwise(self) -> bool:
        """Whether reseal does not take these words as Puppet does."""
        line = f"{self.words} {self.out}"
        return any(re.search(sign, line, re.DOTALL) for sign, _ in OTHERWISE)


def cases(text: str) -> Iterator[Case]:
    """Read a transcript of `record.sh`."""
    for block in re.split(r"^\$ resource service ?", text, flags=re.MULTILINE)[1:]:
        lines = block.splitlines()
        told = {n: "\n".join(x[2:] for x in lines if x[:2] == f"{n} ") for n in "12"}
        code = next(int(x[2:]) for x in lines if x.startswith("= "))
        yield Case(lines[0], code, told["1"], told["2"])


OTHERWISE = (
    (r"--types|--edit|--param", "reseal has the type service alone"),
    (r"provider=base", "a service without commands of its own can do nothing"),
    (r"name=", "a name may be another than the title"),
    (r"--nosuch", "options are read by another library, and end with 2"),
)
"""Words that reseal does not take as Puppet does, and why."""


def compared(case: Case) -> Heard | None:
    """Return what is to be heard; None where reseal is meant to differ."""
    if case.keeps_enabled:
        return None
    return heard(case.code, case.out, case.err)


def heard(code: int, out: str, err: str) -> Heard:
    """Return what was heard, without what the journal says or Puppet leaves out."""
    lines = [line.rstrip() for line in err.splitlines()]
    kept = [
        re.sub(r"(Could not (?:un)?mask|Could not enable) (\S+):.*", r"\1 \2:", x)
        for x in lines
    ]
    said = [x for x in kept if re.match(r"Error|journalctl log", x)]
    shown = [x.rstrip() for x in out.splitlines() if not x.startswith("Info")]
    return code, shown, said


def differences(ours: str, golden: str) -> list[str]:
    """Return where a transcript of reseal's is not Puppet's, though it should be."""
    found: list[str] = []
    enabled = False
    for mine, real in zip(cases(ours), cases(golden), strict=True):
        assert mine.words == real.words
        enabled = enabled or real.keeps_enabled
        wanted = compared(real)
        if real.otherwise or wanted is None:
            continue
        if enabled and "enable" in real.out:
            continue  # Puppet could not disable it, and takes it for enabled from there
        if (said := heard(mine.code, mine.out, mine.err)) != wanted:
            found.append(f"{real.words}:\n  {said}\n  Puppet: {wanted}")
    return found


if __name__ == "__main__":
    texts = [Path(name).read_text() for name in sys.argv[1:3]]
    apart = differences(*texts)
    print("\n".join(apart) or f"{len(list(cases(texts[0])))} commands are told alike")
    sys.exit(bool(apart))
