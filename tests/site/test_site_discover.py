"""Site files made from a CA's directory and an SSH configuration."""

from __future__ import annotations

import asyncio
import os
import tomllib
from pathlib import Path

import pytest
from sshnode import SUDO, program

from reseal.certname import Certname
from reseal.errors import CommandFailed, SettingsError, SiteError
from reseal.site import discover as module
from reseal.site.discover import Discovered, discover, site_file, ssh_hosts
from reseal.site.local import LocalTransport
from reseal.site.roster import load_roster

FOUND = Discovered(Certname("puppet.lab"), (Certname("a.lab"), Certname("b.lab")), ())


@pytest.fixture
def cadir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CA's directory, and a `puppet` that knows it."""
    bin_, cadir = tmp_path / "bin", tmp_path / "ca"
    cadir.mkdir()
    program(bin_, "sudo", SUDO)
    text = f'case "$*" in *cadir) echo {cadir} ;; *certname) echo puppet.lab ;; esac\n'
    program(bin_, "puppet", f"#!/bin/sh\n{text}")
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "PUPPET_COMMANDS", (str(bin_ / "puppet"),))
    return cadir


def found() -> Discovered:
    return asyncio.run(discover(LocalTransport("puppet")))


def test_certnames_come_from_signed_certificates(cadir: Path) -> None:
    (cadir / "signed").mkdir()
    for name in ("puppet.lab", "b.lab", "a.lab", "Web.lab", "ca"):
        (cadir / "signed" / f"{name}.pem").touch()
    (cadir / "signed" / "notes.txt").touch()
    assert found() == Discovered(FOUND.ca, FOUND.nodes, ("Web.lab",))


def test_without_them_they_come_from_the_inventory(cadir: Path) -> None:
    names = ("Puppet CA: puppet", "puppet.lab", "a.lab", "b.lab", "a.lab", "../x")
    lines = [
        f"0x0001 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN={n}\n" for n in names
    ]
    (cadir / "inventory.txt").write_text("".join(lines))
    assert found() == Discovered(FOUND.ca, FOUND.nodes, ("../x",))


def test_a_host_without_a_ca(cadir: Path) -> None:
    with pytest.raises(CommandFailed, match="is not the directory of a CA"):
        found()
    (cadir / "signed").mkdir()
    with pytest.raises(SiteError, match="the CA has no certificate for it"):
        found()


def test_hosts_of_an_ssh_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "more.conf").write_text("host=c\n hostname = 10.0.0.3\n")
    config = tmp_path / "config"
    config.write_text(
        "# comment\nHost a a.lab *.x !y\n  HostName 10.0.0.1\n  HostName ignored\n"
        "Match user root\n  HostName other\nHost b\n  User root\nInclude *.conf\n"
        "Include /nowhere/*\n"
    )
    hosts = {"a": "10.0.0.1", "a.lab": "10.0.0.1", "b": "b", "c": "10.0.0.3"}
    assert ssh_hosts(config) == hosts


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        ssh_hosts(tmp_path / "none")
    (tmp_path / "bad").write_text('\nHost "a\n')
    with pytest.raises(SettingsError, match="line 2"):
        ssh_hosts(tmp_path / "bad")


@pytest.mark.parametrize(
    ("hosts", "address"),
    [
        ({}, "a.lab"),
        ({"a.lab": "10.0.0.1", "a": "10.0.0.1"}, "a.lab"),
        ({"first": "a.lab", "a": "10.0.0.1"}, "first"),
        ({"a": "10.0.0.1"}, "a"),
        ({"other": "10.0.0.1"}, "a.lab"),
    ],
)
def test_a_node_goes_by_its_alias(
    tmp_path: Path, hosts: dict[str, str], address: str
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_file(FOUND, hosts))
    node = load_roster(path).node("a.lab")
    assert node is not None
    assert node.address == address


def test_the_file_is_a_whole_site(tmp_path: Path) -> None:
    config = tmp_path / 'ssh "config" \\ x'
    strange = Discovered(FOUND.ca, FOUND.nodes, ("../x\nroles", "Web.lab"))
    text = site_file(strange, {}, config)
    assert "'../x\\nroles'" in text
    assert set(tomllib.loads(text)) == {"ssh", "node"}
    path = tmp_path / "site.toml"
    path.write_text(text)
    roster = load_roster(path)
    assert roster.ca.name == "puppet.lab"
    assert [node.name for node in roster.agents] == ["a.lab", "b.lab"]
    assert roster.ssh.config == config
