"""A CA's host in a directory, and reseal run on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transcripts import DATA

from reseal.cli.main import main


@dataclass(frozen=True, slots=True)
class CaHost:
    """A CA's host in a directory, and reseal run on it.

    Attributes:
        root: Has `conf`, `ssl` and, in it, `ca`.
        out: Returns what was printed since it was last asked.
    """

    root: Path
    out: Callable[[], tuple[str, str]]

    @property
    def ssl(self) -> Path:
        return self.root / "ssl"

    @property
    def cadir(self) -> Path:
        return self.ssl / "ca"

    def put(self, request: str, name: str) -> None:
        """Leave a request of `tests/data/transcripts/requests` with the CA."""
        target = self.cadir / "requests" / f"{name}.pem"
        shutil.copyfile(DATA / "requests" / request, target)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        where = [f"--config={self.root}/conf/puppet.conf", f"--ssldir={self.ssl}"]
        code = main([*words, *where])
        return code, *self.out()

    def json(self, *words: str) -> Any:
        """Return what a command that succeeds prints as JSON."""
        code, stdout, stderr = self.run(*words, "--json")
        assert (code, stderr) == (0, ""), words
        return json.loads(stdout)
