"""A CA to work on, made once; each test has a copy of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from transcripts import DATA, Stage

from reseal.cli.main import main


@dataclass(frozen=True, slots=True)
class Site:
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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA of Puppet 5's kind with web01 signed and web02 revoked."""
    root = tmp_path_factory.mktemp("made") / "stage"
    stage = Stage(root, str(root))
    stage.prepare()
    where = [f"--config={root}/conf/puppet.conf", f"--ssldir={root}/ssl"]
    assert main(["cert", "list", *where]) == 0
    stage.step("put", "web01.pem", "web01.example.com")
    stage.step("put", "web02.pem", "web02.example.com")
    assert main(["cert", "sign", "--all", *where]) == 0
    assert main(["cert", "revoke", "web02.example.com", *where]) == 0
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """A copy of `made`, to be changed at will."""
    root = tmp_path / "stage"
    shutil.copytree(made, root)

    def out() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    out()
    return Site(root, out)
