"""`reseal agent` against `reseal server`, both as processes on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from serverprocess import Site, running

WEB = "web01.example.com"
REPORT = "var/state/last_run_report.yaml"
SUMMARY = "public/last_run_summary.yaml"
Completed = subprocess.CompletedProcess[str]


class Node:
    """A node's directories, and `reseal agent` on them."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root / "node", port
        self.root.mkdir(exist_ok=True)
        self.made = root / "made"

    def argv(self, *words: str) -> list[str]:
        first = [sys.executable, "-m", "reseal", "agent", "--color=false", *words]
        told = {
            "certname": WEB,
            "confdir": self.root,
            "ssldir": self.root / "ssl",
            "vardir": self.root / "var",
            "publicdir": self.root / "public",
            "rundir": self.root / "run",
            "server": "localhost",
            "serverport": self.port,
            "keylength": 2048,
        }
        return [*first, *(f"--{name}={value}" for name, value in told.items())]

    def run(self, *words: str) -> Completed:
        return subprocess.run(
            self.argv(*words), capture_output=True, text=True, timeout=60
        )

    def start(self, *words: str, log: str = "log") -> subprocess.Popen[bytes]:
        with (self.root / log).open("wb") as out:
            return subprocess.Popen(self.argv(*words), stdout=out, stderr=out)

    def said(self, log: str = "log") -> str:
        return (self.root / log).read_text()

    def until(self, text: str, count: int = 1, log: str = "log") -> None:
        limit = time.monotonic() + 30
        while self.said(log).count(text) < count:
            assert time.monotonic() < limit, self.said(log)
            time.sleep(0.05)

    def state(self, name: str) -> Any:
        return json.loads((self.root / "var/state" / name).read_text())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    catalogs = tmp_path / "catalogs/modules/m/files"
    catalogs.mkdir(parents=True)
    (catalogs / "f").write_text("from the server\n")
    resources = {
        "file": {
            str(tmp_path / "made"): {"ensure": "directory"},
            str(tmp_path / "made/a"): {"content": "a", "mode": "0600"},
            str(tmp_path / "made/f"): {"source": "puppet:///modules/m/f"},
        }
    }
    told = json.dumps({"classes": ["all"], "resources": resources})
    (tmp_path / "catalogs/default.yaml").write_text(told)
    puppet = {"dns_alt_names": "localhost", "autosign": "true"}
    return Site(tmp_path, puppet, '[primary]\ncatalogs = "static"\n')


def cert(site: Site, *words: str) -> None:
    argv = [sys.executable, "-m", "reseal", "cert", *words]
    config = ["--confdir", str(site.root)]
    done = subprocess.run([*argv, *config], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def reports(site: Site) -> list[dict[str, Any]]:
    found = sorted((site.root / "reseal/reports" / WEB).glob("*.json"))
    return [json.loads(path.read_text()) for path in found]


def test_a_node_enrols_applies_its_catalog_and_reports(
    site: Site, tmp_path: Path
) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        dry = node.run("--test", "--noop")
        assert dry.returncode == 0, dry.stderr
        assert dry.stdout.count("(noop)") == 3
        assert not node.made.exists()
        first = node.run("--test")
        assert first.returncode == 2, first.stderr
        assert (node.made / "f").read_text() == "from the server\n"
        assert (node.made / "a").stat().st_mode & 0o777 == 0o600
        second = node.run("--test")
        assert second.returncode == 0
        assert "Notice: Applied catalog in " in second.stdout
        plain = node.run("--onetime")
        assert plain.returncode == 0
        assert "Info: " not in plain.stdout
        kept = [each["status"] for each in reports(site)]
        assert kept == ["unchanged", "changed", "unchanged", "unchanged"]
        kept = yaml.safe_load((node.root / REPORT).read_text())
        assert kept["host"] == WEB
        summary = yaml.safe_load((node.root / SUMMARY).read_text())
        assert summary["resources"]["total"] == 3
        assert summary["changes"]["total"] == 0
        assert (node.root / "var/state/classes.txt").read_text() == "all\n"
        cached = node.root / f"var/client_data/catalog/{WEB}.json"
        assert json.loads(cached.read_text())["name"] == WEB
        facts = json.loads((site.root / f"reseal/facts/{WEB}.json").read_text())
        assert facts["values"]["clientcert"] == WEB
        assert facts["values"]["networking"]["ip"] == "127.0.0.1"
        printed = node.run("--fingerprint").stdout
        assert re.fullmatch(r"\(SHA256\) ([0-9A-F]{2}:){31}[0-9A-F]{2}\n", printed)


def test_a_run_begins_within_seconds_of_the_signature(
    site: Site, tmp_path: Path
) -> None:
    site.puppet["autosign"] = "false"
    with running(site, "--workers", "2") as server:
        node = Node(tmp_path, server.port)
        none = node.run("--test")
        assert none.returncode == 1
        assert "Exiting now because the waitforcert setting is set to 0." in none.stdout
        process = node.start("--verbose")
        try:
            node.until("has not been signed yet")
            time.sleep(7)
            cert(site, "sign", WEB)
            begun = time.monotonic()
            node.until("Info: Using environment")
            assert time.monotonic() - begun < 30, "waitforcert is two minutes"
            assert node.said().count("Will try again") == 1, "the server has held it"
            node.until("Notice: Applied catalog")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_daemon_runs_again_when_told_and_ends_cleanly(
    site: Site, tmp_path: Path
) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        process = node.start("--verbose", "--runinterval", "1h")
        pidfile = node.root / "run/agent.pid"
        try:
            node.until("Notice: Applied catalog")
            assert int(pidfile.read_text()) == process.pid
            other = node.run("--verbose")
            assert other.returncode == 1
            assert "another agent runs" in other.stderr
            process.send_signal(signal.SIGUSR1)
            node.until("Notice: Applied catalog", count=2)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not pidfile.exists()
        assert not list((node.root / "var/state").glob("*.lock"))
        quick = node.start("--verbose", "--runinterval", "1", log="quick")
        node.until("Notice: Applied catalog", count=3, log="quick")
        quick.send_signal(signal.SIGINT)
        assert quick.wait(30) == 0


def test_a_daemon_outlives_its_server(site: Site, tmp_path: Path) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        assert node.run("--test").returncode == 2
    process = node.start("--verbose", "--runinterval", "1")
    try:
        node.until("Could not retrieve catalog; skipping run", count=2)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    once = node.run("--test")
    assert once.returncode == 1
    assert "Could not send report: Connection to https://localhost" in once.stderr


def test_runs_can_be_disabled_and_do_not_overlap(site: Site, tmp_path: Path) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        assert node.run("--disable", "on holiday").returncode == 0
        told = node.state("agent_disabled.lock")
        assert told == {"disabled_message": "on holiday"}
        off = node.run("--test")
        assert off.returncode == 1
        assert "administratively disabled (Reason: 'on holiday')" in off.stdout
        assert node.run("--enable").returncode == 0
        lock = node.root / "var/state/agent_catalog_run.lock"
        lock.write_text(str(os.getppid()))
        puppet = node.run("--test")
        lock.write_text("999999")
        assert node.run("--test").returncode == 2, "its holder is gone"
        assert not lock.exists()
        if puppet.returncode != 2:
            assert "already in progress; skipping" in puppet.stdout


def test_a_node_of_an_old_ca_is_refused_and_told_what_to_do(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    new = Site(tmp_path / "new", dict(site.puppet), site.toml)
    (tmp_path / "new/catalogs").mkdir()
    with running(site, "--workers", "1") as server:
        assert Node(tmp_path, server.port).run("--test").returncode == 2
    with running(new, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        old = node.run("--test")
        assert old.returncode == 1
        said = (
            "Could not retrieve catalog from remote server: certificate verify failed"
        )
        assert said in old.stderr
        assert "was the CA replaced?" in old.stderr
        clean = [sys.executable, "-m", "reseal", "ssl", "clean", "--localca"]
        where = [f"--ssldir={node.root}/ssl", f"--certname={WEB}"]
        assert subprocess.run([*clean, *where], timeout=60).returncode == 0
        assert node.run("--test").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--nosuch",), 2, "No such option: --nosuch"),
        (("extra",), 2, "The puppet agent command does not take parameters"),
        (("--test", "--runinterval", "x"), 2, "runinterval"),
        (("--fingerprint",), 1, "neither the certificate, nor the certificate request"),
    ],
)
def test_wrong_words_are_told(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = Node(tmp_path, 1).run(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_no_server_is_told_with_the_way_out(tmp_path: Path) -> None:
    done = Node(tmp_path, 1).run("--test")
    assert done.returncode == 1
    assert "Connection to https://localhost:1 failed: Connection refused" in done.stderr
    assert "reseal: hint: is the server's name right" in done.stderr


def test_a_run_that_cannot_be_kept_is_reported_all_the_same(
    site: Site, tmp_path: Path
) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        (node.root / "public").write_text("no directory")
        done = node.run("--test")
        assert done.returncode == 2, done.stderr
        assert "Error: Could not save last run local report: " in done.stderr
        assert [each["status"] for each in reports(site)] == ["changed"]

        victim = tmp_path / "victim"
        victim.write_text("kept")
        (node.root / "public").unlink()
        (node.root / "public").mkdir()
        (node.root / SUMMARY).symlink_to(victim)
        done = node.run("--test")
        assert (done.returncode, done.stderr) == (0, "")
        assert victim.read_text() == "kept"
        assert not (node.root / SUMMARY).is_symlink()


def test_a_list_of_servers_is_gone_through(site: Site, tmp_path: Path) -> None:
    with running(site, "--workers", "1") as server:
        node = Node(tmp_path, server.port)
        listed = f"localhost:1,localhost:{server.port}"
        first = node.run("--test", "--server_list", listed)
        assert first.returncode == 2, first.stderr
        said = (
            "Warning: Unable to connect to server from server_list setting: Connection "
            "to https://localhost:1 failed: Connection refused Trying with next server"
        )
        assert said in first.stderr
        told = reports(site)[0]
        assert told["server_used"] == f"localhost:{server.port}"
        assert any("server_list" in line["message"] for line in told["logs"])
        second = node.run("--test", "--server_list", f"localhost:{server.port}")
        assert (second.returncode, second.stderr) == (0, "")
    none = node.run("--test", "--server_list", "localhost:1")
    assert none.returncode == 1
    wanted = (
        "Error: Could not run Puppet configuration client: Could not select a "
        "functional puppet server from server_list: 'localhost:1'"
    )
    assert wanted in none.stderr
    assert len(reports(site)) == 2
