"""`reseal resource service` beside what `puppet resource service` of 8 printed.

Golden files: `tests/data/resource/8-*.txt`, which `record.sh` made on real hosts; here
a small systemd and a small SysV stand in for them, `tests/real` has the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakehosts import SystemdHost, SysvHost, TableHost
from resourcescript import cases, compared, heard

from reseal.cli import resource
from reseal.cli.main import main

DATA = Path(__file__).parent.parent / "data/resource"


@pytest.mark.parametrize(
    ("golden", "host"),
    [("8-systemd.txt", SystemdHost), ("8-sysv.txt", SysvHost)],
)
def test_the_transcript_is_puppets(
    golden: str,
    host: type[TableHost],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = host({})
    monkeypatch.setattr(resource, "ThisHost", lambda: one)
    compare = 0
    for case in cases((DATA / golden).read_text()):
        if case.otherwise:
            continue
        code = main(["resource", "service", "--color=false", *case.argv])
        out, err = capsys.readouterr()
        wanted = compared(case)
        if case.keeps_enabled and isinstance(one, SysvHost):
            one.enabled.add("t-good")
        if wanted is not None:
            assert heard(code, out, err) == wanted, case.words
            compare += 1
    assert compare > 40


def test_services_are_listed_and_told_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resource, "ThisHost", SysvHost)
    assert main(["resource", "service"]) == 0
    assert capsys.readouterr().out.count("service { '") == 2
    assert main(["resource", "service", "t-good", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    state = {"ensure": "stopped", "enable": "false", "provider": "debian"}
    assert told == [{"name": "t-good", **state}]


def test_an_own_command_goes_before_the_service_managers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["resource", "service", "x", "ensure=running", "status=false"]
    assert main([*words, "start=echo no; exit 3", "--fail"]) == 1
    said = capsys.readouterr().err
    assert (
        "Could not start Service[x]: Execution of '/bin/sh -c echo no; exit 3'" in said
    )
    assert main([*words, "start=true", "status=true"]) == 0


def test_a_hostile_name_is_no_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = SystemdHost()
    monkeypatch.setattr(resource, "ThisHost", lambda: host)
    assert main(["resource", "service", "--", "--help", "ensure=stopped"]) == 0
    assert all(" -- --help" in each for each in host.ran if "--help" in each)
