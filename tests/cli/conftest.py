"""A CA to work on, made once; each test has a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cahost import CaHost
from transcripts import Stage

from reseal.cli.main import main


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
def host(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CaHost:
    """A copy of `made`, to be changed at will."""
    root = tmp_path / "stage"
    shutil.copytree(made, root)

    def out() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    out()
    return CaHost(root, out)
