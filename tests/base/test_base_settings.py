"""puppet.conf means here what it means to Puppet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reseal.errors import SettingsError
from reseal.settings import (
    AIO,
    DEBIAN,
    Flavour,
    PuppetSettings,
    default_cadir,
    load_settings,
)
from reseal.settingvalues import Mode, parse_puppet_conf

CONF = """\
# the site's
[main]
  server = primary.example.com
  dns_alt_names = puppet, DNS:ca.example.com,IP:10.0.0.1
  vardir = /var/lib/puppet
  ssldir = /srv/ssl { owner = service, mode = 0771 }
[agent]
  certname = Agent01.example.com
  ca_ttl = 1y
[master]
  ca_ttl = 2y
  masterport = 8141
  certname = old.example.com
[server]
  certname = new.example.com
  autosign = true
"""


@pytest.fixture
def flavour(tmp_path: Path) -> Flavour:
    confdir = tmp_path / "puppet"
    confdir.mkdir()
    return Flavour("test", confdir, confdir / "ssl", tmp_path / "puppetserver" / "ca")


def load(flavour: Flavour, text: str, mode: Mode = "server") -> PuppetSettings:
    (flavour.confdir / "puppet.conf").write_text(text)
    return load_settings(flavour, certname="here.example.com", mode=mode)


def test_without_a_file_the_defaults_hold(flavour: Flavour) -> None:
    settings = load_settings(flavour, certname="Here.example.com")
    assert settings.certname == "here.example.com"
    assert settings.ca_server == "puppet"
    assert settings.ca_port == 8140
    assert (settings.ca_ttl, settings.ca_ttl_given) == (timedelta(days=1825), False)
    assert settings.keylength == 4096
    assert settings.ca_name == "Puppet CA: here.example.com"
    assert settings.hostcert == flavour.ssldir / "certs" / "here.example.com.pem"
    assert settings.localcacert == flavour.ssldir / "certs" / "ca.pem"
    assert settings.autosign == str(flavour.confdir / "autosign.conf")
    assert settings.dns_alt_names == ()


def test_a_server_reads_agent_main_master_server_in_that_order(
    flavour: Flavour,
) -> None:
    settings = load(flavour, CONF)
    assert settings.certname == "new.example.com"
    assert (settings.ca_ttl, settings.ca_ttl_given) == (timedelta(days=730), True)
    assert (settings.ca_server, settings.ca_port) == ("primary.example.com", 8141)
    assert settings.ssldir == Path("/srv/ssl")
    assert settings.hostcrl == Path("/srv/ssl/crl.pem")
    assert settings.autosign == "true"
    assert settings.dns_alt_names == ("puppet", "DNS:ca.example.com", "IP:10.0.0.1")


def test_an_agent_reads_main_and_agent(flavour: Flavour) -> None:
    settings = load(flavour, CONF, "agent")
    assert settings.certname == "agent01.example.com"
    assert settings.ca_ttl == timedelta(days=365)
    assert settings.ca_port == 8140


def test_the_command_line_wins(flavour: Flavour) -> None:
    overrides = {"ssldir": "/elsewhere", "cadir": "${ssldir}/ca"}
    settings = load_settings(flavour, certname="a.b", overrides=overrides)
    assert settings.cadir == Path("/elsewhere/ca")
    assert settings.hostprivkey == Path("/elsewhere/private_keys/a.b.pem")


def test_relative_paths_are_those_of_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = {"cadir": "ca", "ssldir": "ssl"}
    settings = load_settings(AIO, certname="a.b", overrides=overrides)
    assert (settings.cadir, settings.ssldir) == (tmp_path / "ca", tmp_path / "ssl")
    assert settings.hostcrl == tmp_path / "ssl" / "crl.pem"


def test_another_confdir_takes_its_ssldir_along(tmp_path: Path) -> None:
    overrides = {"confdir": str(tmp_path)}
    inside = load_settings(AIO, certname="a.b", overrides=overrides)
    outside = load_settings(DEBIAN, certname="a.b", overrides=overrides)
    assert inside.ssldir == tmp_path / "ssl"
    assert outside.ssldir == Path("/var/lib/puppet/ssl")


def test_every_fault_is_told_with_its_line(flavour: Flavour) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flavour, "[main]\nwhat\nserver=x\n=y\n")
    assert [fault[:6] for fault in caught.value.faults] == ["line 2", "line 4"]
    assert "puppet.conf" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ca_ttl = soon", "ca_ttl: 'soon': not a duration"),
        ("keylength = long", "keylength: invalid literal"),
        ("key_type = EC", "key_type: 'EC' is neither rsa nor ec"),
        ("certname = a/b", "certname: 'a/b': not a certname"),
        ("hostcrl = $hostcrl", "hostcrl: refers to itself"),
        ("hostcrl = $nowhere/x", "hostcrl: refers to \\$nowhere"),
        ("allow_duplicate_certs = 1", "allow_duplicate_certs: '1' is neither"),
    ],
)
def test_wrong_values(flavour: Flavour, line: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        load(flavour, f"[main]\n{line}\n")


def test_the_cadir_is_where_the_ca_is(flavour: Flavour) -> None:
    assert flavour.cadir is not None
    inside = flavour.ssldir / "ca"
    assert default_cadir(flavour.ssldir, replace(flavour, cadir=None)) == inside
    assert default_cadir(flavour.ssldir, flavour) == inside
    flavour.cadir.mkdir(parents=True)
    assert default_cadir(flavour.ssldir, flavour) == flavour.cadir
    flavour.ssldir.mkdir()
    inside.symlink_to(flavour.cadir)
    assert default_cadir(flavour.ssldir, flavour) == flavour.cadir
    inside.unlink()
    inside.mkdir()
    assert default_cadir(flavour.ssldir, flavour) == inside


def test_sections_as_they_stand(tmp_path: Path) -> None:
    text = "top = level\n[main]\n; note\nname = 'quoted'\n[agent]\nempty =\n"
    assert parse_puppet_conf(text, tmp_path) == {
        "main": {"top": "level", "name": "quoted"},
        "agent": {"empty": ""},
    }
