"""`reseal config print` beside what real Puppet printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reseal.agent.settings import agent_fields
from reseal.cli.config import in_words
from reseal.cli.main import main
from reseal.settings import DEBIAN

GOLDEN = Path(__file__).parents[1] / "data/config"
NAME = "web01.example.com"
NOT_YET = {
    "5": {
        *("ca_fingerprint", "ca_refresh_interval", "crl_refresh_interval", "key_type"),
        *("hostcert_renewal_interval", "maxwaitforcert", "named_curve", "ssl_lockfile"),
        *("serverport", "lastrunfile", "publicdir"),
    },
    "7": {"ca_refresh_interval", "crl_refresh_interval", "hostcert_renewal_interval"},
    "8": set[str](),
}
"""Settings that an agent of that generation does not have, or has elsewhere."""


@pytest.mark.parametrize("generation", ["5", "7", "8"])
def test_defaults_are_puppets(generation: str, tmp_path: Path) -> None:
    lines = (GOLDEN / f"{generation}.txt").read_text().splitlines()
    real = dict(line.split(" = ", 1) for line in lines if " = " in line)
    given = {"certname": NAME, "confdir": str(tmp_path)}
    ours = in_words(agent_fields(DEBIAN, certname="x", overrides=given))
    checked = ours.keys() - NOT_YET[generation]
    assert len(checked) > 35
    found = {name: ours[name].replace(str(tmp_path), "/etc/puppet") for name in checked}
    assert found == {name: real.get(name) for name in checked}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "puppet.conf"
    path.write_text(
        "[main]\nserver = one\nruninterval = 2h\n[agent]\nserver_list = b, a:1\n"
        f"certname = Web01\n[server]\ndns_alt_names = a,b\ncadir = {tmp_path}/ca\n"
    )
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["server"], "one\n"),
        (["runinterval", "certname"], "certname = web01\nruninterval = 7200\n"),
        (["server_list"], "b, a:1\n"),
        (["server_list", "--server_list", "c"], "c\n"),
        (["noop", "--section", "main"], "false\n"),
        (["dns_alt_names", "--section", "server"], "a,b\n"),
        (["cadir", "--section", "master", "--json"], '{"cadir": "ROOT/ca"}'),
        (["config"], "ROOT/puppet.conf\n"),
    ],
)
def test_settings_in_force_are_printed(
    conf: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "print", *words, "--config", str(conf)]) == 0
    printed = capsys.readouterr().out
    wanted = said.replace("ROOT", str(conf.parent))
    if "--json" in words:
        assert json.loads(printed) == json.loads(wanted)
    else:
        assert printed == wanted


def test_all_are_printed_in_order(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "print", "--config", str(conf)]) == 0
    names = [line.split(" = ")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == sorted(names)
    assert {"server", "server_list", "lastrunfile", "config"} <= {*names}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "nosuch: no setting that reseal reads for agent"),
        (["cadir"], "--section server the CA's"),
        (["--section", "x"], "--section"),
        (["--runinterval"], "--runinterval: needs a value"),
        (["--config", "/nosuch/puppet.conf"], "Could not read file"),
        (["--runinterval", "soon"], "runinterval"),
    ],
)
def test_what_is_wrong_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "print", *words]) == 2
    assert said in capsys.readouterr().err
