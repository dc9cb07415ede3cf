"""A node's files: what root writes in a directory that is another account's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reseal.agent.lock import Held, pid_lock
from reseal.agent.settings import load_agent_settings
from reseal.agent.ssldir import SslDir
from reseal.settings import flavour_for


def ssldir_of(root: Path) -> SslDir:
    told = {"confdir": str(root), "ssldir": str(root / "ssl")}
    name = "web01.example.com"
    return SslDir(load_agent_settings(flavour_for(None), certname=name, overrides=told))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directories_and_files_have_puppets_modes(tmp_path: Path) -> None:
    ssldir = ssldir_of(tmp_path)
    for path in (ssldir.localcacert, ssldir.hostprivkey, ssldir.hostcert):
        ssldir.save(path, b"x")
    modes = {"ssl": 0o771, "ssl/certs": 0o755, "ssl/private_keys": 0o750}
    assert {name: mode(tmp_path / name) for name in modes} == modes
    assert mode(ssldir.hostprivkey) == 0o640
    assert mode(ssldir.hostcert) == 0o644


@pytest.mark.parametrize("name", ["localcacert", "hostcrl", "hostcert", "hostprivkey"])
def test_a_link_is_replaced_and_never_written_through(
    tmp_path: Path, name: str
) -> None:
    ssldir = ssldir_of(tmp_path)
    ssldir.make()
    other = tmp_path / "shadow"
    other.write_text("untouched")
    path: Path = getattr(ssldir, name)
    path.symlink_to(other)
    ssldir.save(path, b"x")
    assert (path.read_text(), path.is_symlink()) == ("x", False)
    assert other.read_text() == "untouched"


def test_one_process_at_a_time_has_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys, time; from pathlib import Path; "
        "from reseal.agent.lock import pid_lock\n"
        "with pid_lock(Path(sys.argv[1]), 'x'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert int(path.read_text()) == process.pid
        told = pytest.raises(Held, match="somebody is at it")
        with told as caught, pid_lock(path, "somebody is at it"):
            pass
        assert str(process.pid) in str(caught.value.hint)
        process.kill()
    with pid_lock(path, "somebody is at it"):
        assert int(path.read_text()) == os.getpid()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "x", "999999"])
def test_a_lock_of_nobody_holds_nobody_up(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock"
    path.write_text(content)
    with pid_lock(path, "somebody is at it"):
        assert int(path.read_text()) == os.getpid()
    assert not path.exists()


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    path, other = tmp_path / "lock", tmp_path / "shadow"
    other.write_text("untouched")
    path.symlink_to(other)
    with pid_lock(path, "somebody is at it"):
        assert not path.is_symlink()
    assert other.read_text() == "untouched"
