"""Record transcripts anew from real Puppets.

    python tests/cli/record.py LAB_NAME tests/data/transcripts/puppet-cert/*.txt
    python tests/cli/record.py LAB_NAME tests/data/transcripts/puppetserver-7/*.txt

LAB_NAME is a lab site that is up, of release bullseye for `puppet cert`, bookworm
for Puppet Server 7, trixie for 8.  Each transcript is played with the puppet host's
own tool in a scratch directory and written back.  The deprecation warning of
`puppet cert`, and the line that says where it comes from, are left out.  Transcripts
whose name begins with `running` are played on the site's own CA, through its server.
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
class LabHost:
    """The tools of the puppet host of a lab site."""

    site: str

    def run(self, words: list[str], stdin: str) -> Outcome:
        if words[:2] == ["puppet", "cert"]:
            words = [*words, *_puppet_options(words)]
        ended = subprocess.run(
            [LAB, "exec", "puppet", shlex.join(words)],
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


class RunningServer(Stage):
    """The CA of the site's own Puppet Server, which is running."""

    @property
    def ssl(self) -> Path:
        return self.root / "etc" / "puppet" / "puppetserver"

    def prepare(self) -> None:
        """Leave everything as the server knows it."""


def _puppet_options(words: list[str]) -> list[str]:
    options = [f"--{name}dir={SCRATCH}/{name}" for name in ("conf", "ssl", "var")]
    if not any(word.startswith("--color") for word in words):
        options.append("--color=false")
    return options


def main(site: str, *files: str) -> None:
    """Play each file with the tools of `site` and write it back."""
    lab = Path(os.environ.get("LAB_DIR", "/var/cache/puppet-lab"))
    root = lab / "sites" / site / "host" / "puppet" / "root"
    stage = Stage(root / SCRATCH.lstrip("/"), SCRATCH)
    for path in map(Path, files):
        shutil.rmtree(stage.root, ignore_errors=True)
        running = path.stem.startswith("running")
        there = RunningServer(root, "/etc/puppet/puppetserver") if running else stage
        path.write_text(play(path.read_text(), LabHost(site), there))
    shutil.rmtree(stage.root, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
