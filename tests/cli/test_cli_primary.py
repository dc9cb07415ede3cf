"""The primary's side of a server as a process, and the commands beside it."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from serverprocess import NAME, Process, Site, running

from reseal.x509 import keys
from reseal.x509.csr import build_request

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CATALOG = f"/puppet/v3/catalog/{NAME}?environment=production"
DEFAULT = "resources:\n  file:\n    /tmp/x: {content: hello}\n"
REPORT = {
    "host": NAME,
    "status": "changed",
    "time": "2026-01-01T00:00:00Z",
    "environment": "production",
    "puppet_version": "8.10.0",
    "configuration_version": "1",
    "metrics": {"resources": {"values": [["changed", "Changed", 2]]}},
    "logs": [
        {"level": "notice", "source": "Puppet", "message": "hi \x1b[31m"},
        {"level": "err", "source": "/File[x]", "message": "bad"},
    ],
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "catalogs").mkdir()
    (tmp_path / "catalogs/default.yaml").write_text(DEFAULT)
    return Site(tmp_path, toml='[primary]\ncatalogs = "static"\nreports = 2\n')


def ask(
    server: Process,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    client: str = NAME,
) -> tuple[int, Any]:
    connection = server.connect(client)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        found = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(found)
    except ValueError:
        return answer.status, found.decode()


def reseal(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    config = ["--config", str(site.root / "puppet.conf")]
    argv = [sys.executable, "-m", "reseal", *words, *config]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def test_a_run_from_catalog_to_report(site: Site) -> None:
    with running(site, "--workers", "1") as server:
        assert ask(server, "GET", "/status/v1/simple/server")[1] == "running"
        status, found = ask(server, "POST", CATALOG, b"", FORM)
        assert status == 200
        assert [r["title"] for r in found["resources"]] == ["main", "main", "/tmp/x"]
        path = f"/puppet/v3/report/{NAME}?environment=production"
        for number in range(3):
            told = json.dumps({**REPORT, "configuration_version": number}).encode()
            assert ask(server, "PUT", path, told, JSON) == (200, ["store"])
        large = json.dumps({**REPORT, "filler": "x" * 3_000_000}).encode()
        assert ask(server, "PUT", path, large, JSON) == (200, ["store"])
        for wrong in ("catalog", "node"):
            other = f"/puppet/v3/{wrong}/web01.example.com?environment=production"
            assert ask(server, "GET", other)[0] == 403
    kept = list((site.root / "reseal/reports" / NAME).glob("*.json"))
    assert len(kept) == 2
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o640}


def test_a_certificate_of_another_ca_gets_nothing_but_may_ask_for_a_new_one(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    with running(other, "--workers", "1"):
        pass
    with running(site, "--workers", "1") as server:
        pair = server.connect(NAME)
        pair.close()
        for name in ("certs", "private_keys"):
            old = (other.ssldir / f"{name}/{NAME}.pem").read_bytes()
            (site.ssldir / f"{name}/old.pem").write_bytes(old)
        with pytest.raises((ssl.SSLError, http.client.HTTPException, OSError)):
            ask(server, "POST", CATALOG, b"", FORM, client="old")
        assert ask(server, "POST", CATALOG, b"", FORM, client="")[0] == 403
        request = build_request(keys.LocalSigner(keys.generate("rsa:2048")), "web01")
        path = "/puppet-ca/v1/certificate_request/web01"
        assert server.ask("PUT", path, request.pem)[0] == 200


def test_a_mistake_in_the_files_reaches_agent_and_log(site: Site) -> None:
    (site.root / "catalogs/default.yaml").write_text("resource: {}\n")
    with running(site, "--workers", "1") as server:
        status, found = ask(server, "POST", CATALOG, b"", FORM)
        assert status == 500
        said = "default.yaml line 1: resource: unknown key"
        assert said in found["message"]
        server.wait_until(said)


def test_reports_are_listed_and_shown(site: Site) -> None:
    site.write()
    assert reseal(site, "report", "list").stdout == "no node has sent a report\n"
    unknown = reseal(site, "report", "show", "web01")
    assert unknown.returncode == 1
    assert "web01: has sent no report" in unknown.stderr
    directory = site.root / "reseal/reports" / NAME
    directory.mkdir(parents=True)
    (directory / "20260101T000000Z-000-x.json").write_text(json.dumps(REPORT))
    listed = reseal(site, "report", "list").stdout.splitlines()
    assert listed[1].split()[:4] == [NAME, "changed", "2", "0"]
    told = json.loads(reseal(site, "report", "list", NAME, "--json").stdout)
    assert [(each["node"], each["changed"]) for each in told] == [(NAME, 2)]
    shown = reseal(site, "report", "show", NAME).stdout
    assert "Notice: hi \ufffd[31m\nError: /File[x]: bad\n" in shown
    assert json.loads(reseal(site, "report", "show", NAME, "--json").stdout) == REPORT
    missing = reseal(site, "report", "show", NAME, "nosuch")
    assert (missing.returncode, "has no report nosuch" in missing.stderr) == (1, True)


def test_catalogs_are_checked_and_shown(site: Site) -> None:
    site.write()
    folder = site.root / "catalogs"
    good = reseal(site, "catalog", "check")
    assert good.returncode == 0
    assert good.stdout == f"{folder}: no groups and no nodes: no mistakes\n"
    shown = reseal(site, "catalog", "show", "web01").stdout
    assert shown == f"File[/tmp/x]  {folder}/default.yaml:3\n"
    whole = json.loads(reseal(site, "catalog", "show", "web01", "--json").stdout)
    assert whole["name"] == "web01"
    (folder / "nodes").mkdir()
    (folder / "nodes/web01.yaml").write_text("groups: nosuch\n")
    bad = reseal(site, "catalog", "check")
    assert bad.returncode == 3
    fault = f"{folder}/nodes/web01.yaml line 1: groups: there is no groups/nosuch.yaml"
    assert bad.stdout.splitlines()[0] == fault
    told = json.loads(reseal(site, "catalog", "check", "--json").stdout)
    assert (told["nodes"], told["faults"]) == (1, [fault])
    missing = reseal(site, "catalog", "check", "--folder", "/nosuch")
    assert missing.returncode == 1
    assert "/nosuch: no such file" in missing.stderr


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('catalogs = "proxy"', "a proxy needs primary.url, the server behind"),
        ('catalogs = "hiera"', "'hiera' is not one of none, static, puppet, proxy"),
        ('catalogs = "proxy"\nurl = "ftp://x"', 'must be like "https://puppet2'),
        ("reports = 0", "must be a whole number from 1"),
        ('folder = "relative"', "must be an absolute path"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, toml: str, said: str) -> None:
    site = Site(tmp_path, toml=f"[primary]\n{toml}\n")
    site.write()
    found = site.run("--check")
    assert found.returncode == 2
    assert said in found.stderr


def test_settings_of_another_source_are_warned_of(tmp_path: Path) -> None:
    site = Site(tmp_path, toml='[primary]\ncatalogs = "static"\npuppet = "/x"\n')
    site.write()
    found = site.run("--check")
    assert found.returncode == 0
    assert "primary.puppet: has no effect: catalogs is static" in found.stderr
