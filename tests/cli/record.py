"""Record transcripts anew from a real Puppet 5.5.

    python tests/cli/record.py LAB_NAME tests/data/transcripts/puppet-cert/*.txt

LAB_NAME is a lab site of release bullseye that is up.  Each transcript is played
with its `puppet cert` in a scratch directory and written back.  The deprecation
warning, and the line that says where it comes from, are left out.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from transcripts import Outcome, Stage, play

LAB = Path(__file__).parent.parent.parent / "lab" / "lab"
SCRATCH = "/var/tmp/transcript"


@dataclass(frozen=True, slots=True)
class PuppetCert:
    """The real `puppet cert`, on the puppet host of a lab site."""

    site: str

    def run(self, words: list[str], stdin: str) -> Outcome:
        options = [f"--{name}dir={SCRATCH}/{name}" for name in ("conf", "ssl", "var")]
        if not any(word.startswith("--color") for word in words):
            options.append("--color=false")
        ended = subprocess.run(
            [LAB, "exec", "puppet", shlex.join([*words, *options])],
            env={**os.environ, "LAB_NAME": self.site},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        stderr = ended.stderr.splitlines(keepends=True)
        while stderr and ("is deprecated" in stderr[0] or "(location:" in stderr[0]):
            del stderr[0]
        return Outcome(ended.returncode, ended.stdout, "".join(stderr))


def main(site: str, *files: str) -> None:
    lab = Path(os.environ.get("LAB_DIR", "/var/cache/puppet-lab"))
    root = lab / "sites" / site / "host" / "puppet" / "root"
    stage = Stage(root / SCRATCH.lstrip("/"))
    for path in map(Path, files):
        shutil.rmtree(stage.root, ignore_errors=True)
        text = play(path.read_text(), PuppetCert(site), stage, {SCRATCH: "<root>"})
        path.write_text(text)
    shutil.rmtree(stage.root, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
