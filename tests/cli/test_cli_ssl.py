"""`reseal ssl` against `reseal server`, both as processes on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from serverprocess import Process, Site, running

WEB = "web01.example.com"


class Node:
    """A node's ssldir, and `reseal ssl` on it."""

    def __init__(self, root: Path, server: Process) -> None:
        self.ssldir = root / "node/ssl"
        self.server = server
        (root / "node").mkdir(exist_ok=True)

    def command(self, *words: str) -> list[str]:
        where = ["--ssldir", str(self.ssldir), "--certname", WEB, "--keylength", "2048"]
        where += ["--ca_server", "localhost", f"--ca-port={self.server.port}"]
        where += ["--confdir", str(self.ssldir.parent)]
        return [sys.executable, "-m", "reseal", "ssl", *words, *where]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=60
        )

    def files(self) -> dict[str, int]:
        return {
            str(path.relative_to(self.ssldir)): path.stat().st_mode & 0o777
            for path in self.ssldir.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"dns_alt_names": "localhost"})


def cert(site: Site, *words: str) -> None:
    argv = [sys.executable, "-m", "reseal", "cert", *words]
    config = ["--confdir", str(site.root)]
    done = subprocess.run([*argv, *config], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_node_enrols_step_by_step_and_gives_up_again(
    site: Site, tmp_path: Path
) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server)
        sent = node.run("submit_request")
        assert sent.returncode == 0, sent.stderr
        assert sent.stdout.startswith(
            f"Notice: Submitted certificate request for '{WEB}'"
        )
        early = node.run("download_cert")
        assert early.returncode == 1
        assert f"The certificate for '{WEB}' has not yet been signed" in early.stderr
        cert(site, "sign", WEB)
        assert node.run("download_cert").returncode == 0
        assert node.run("verify").stdout.count("Notice: Verified ") == 3
        assert f"Subject: CN = {WEB}" in node.run("show").stdout
        assert node.run("bootstrap").stdout == "Notice: Completed SSL initialization\n"
        assert node.files() == {
            "certs/ca.pem": 0o644,
            f"certs/{WEB}.pem": 0o644,
            "crl.pem": 0o644,
            f"private_keys/{WEB}.pem": 0o640,
        }
        assert node.run("clean", "--localca").stdout.count("Notice: Removed ") == 4
        assert node.files() == {}


def test_a_node_that_waits_has_its_certificate_at_once(
    site: Site, tmp_path: Path
) -> None:
    with running(site, "--workers", "2") as server:
        node = Node(tmp_path, server)
        process = subprocess.Popen(
            node.command("bootstrap"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        request = site.cadir / f"requests/{WEB}.pem"
        limit = time.monotonic() + 30
        while not request.exists():
            assert time.monotonic() < limit
            time.sleep(0.05)
        time.sleep(7)
        cert(site, "sign", WEB)
        begun = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - begun < 30, "waitforcert is 2 minutes"
        assert out.count(b"Will try again") == 1, "the server has held its answer"
        assert process.returncode == 0, err.decode()
        assert b"Notice: Completed SSL initialization" in out


def test_a_server_that_is_not_the_one_is_refused(site: Site, tmp_path: Path) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server)
        other = node.command("submit_request")
        other[other.index("localhost")] = "127.0.0.1"
        said = subprocess.run(other, capture_output=True, text=True, timeout=60).stderr
        assert "Server hostname '127.0.0.1' did not match server certificate" in said
        assert "DNS:localhost" in said
        pinned = node.run("bootstrap", "--ca_fingerprint", "00", "--waitforcert", "0")
        assert pinned.returncode == 1


def test_a_ca_that_was_replaced_is_told_with_the_way_out(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other", dict(site.puppet))
    with running(site, "--workers", "1") as server:
        assert Node(tmp_path, server).run("submit_request").returncode == 0
    with running(other, "--workers", "1") as server:
        done = Node(tmp_path, server).run("submit_request")
        assert done.returncode == 1
        assert "certificate verify failed [" in done.stderr
        assert "was the CA replaced?" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit_request", "--keylength", "x"), "keylength"),
        (("submit_request", "--config", "/nosuch/puppet.conf"), "Could not read file"),
        (("clean", "--certname"), "--certname: needs a value"),
    ],
)
def test_wrong_words_are_told(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    verb, *rest = words
    where = [] if "--config" in rest else ["--confdir", str(tmp_path)]
    argv = [sys.executable, "-m", "reseal", "ssl", verb, *where, *rest]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
