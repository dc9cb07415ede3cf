"""`reseal site` on the command line, where no site is needed."""

from __future__ import annotations

import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from reseal.certname import Certname
from reseal.cli import siteview
from reseal.cli.main import build, main
from reseal.errors import Unreachable, UsageError
from reseal.site.discover import Discovered


def test_every_command_explains_itself_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = "discover survey plan regenerate status resume rollback verify report"
    for name in names.split():
        assert main(["site", name, "--help"]) == 0
        assert f"Example: reseal site {name}" in capsys.readouterr().out


def test_a_site_file_that_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.toml"
    assert main(["site", "survey", "--site", str(path)]) == 1
    assert f"reseal: error: {path}: no such file" in capsys.readouterr().err


def test_faults_of_a_site_file_name_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    path.write_text('[[node]]\ncertname = "a.lab.test"\nroles = ["ca"]\nrols = 1\n')
    assert main(["site", "plan", "--site", str(path)]) == 2
    assert f"{path}: line 4: rols: unknown key" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["status", "resume", "verify", "report"])
def test_without_a_run_there_is_nothing_to_go_on_with(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["site", verb, "--runs", str(tmp_path)]) == 1
    assert f"reseal: error: no run in {tmp_path}" in capsys.readouterr().err


class Typed(StringIO):
    """A terminal at which somebody has typed something."""

    def isatty(self) -> bool:
        return True


def confirm(monkeypatch: pytest.MonkeyPatch, typed: str, *, terminal: bool) -> None:
    plan: Any = _plan_of(":".join(["AB"] * 28 + ["12", "34", "56", "78"]))
    stream = Typed(typed) if terminal else StringIO(typed)
    monkeypatch.setattr(sys, "stdin", stream)
    siteview.confirm(plan)


def _plan_of(fingerprint: str) -> Any:
    class Certificate:
        pass

    ca: Any = Certificate()
    ca.fingerprint = fingerprint
    plan: Any = Certificate()
    plan.ca = Certificate()
    plan.ca.server = Certificate()
    plan.ca.server.ca = (ca,)
    plan.generation = object()
    return plan


def test_the_ending_of_the_old_fingerprint_confirms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confirm(monkeypatch, "12:34:56:78\n", terminal=True)


@pytest.mark.parametrize("typed", ["yes\n", "12:34:56:79\n", "\x20\n"])
def test_anything_else_does_not(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    with pytest.raises(UsageError, match="nothing was changed"):
        confirm(monkeypatch, typed, terminal=True)


def test_copies_alone_are_renewed_at_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan_of("AB")
    plan.generation = None
    monkeypatch.setattr(sys, "stdin", Typed("y\n"))
    siteview.confirm(plan)
    monkeypatch.setattr(sys, "stdin", Typed("n\n"))
    with pytest.raises(typer.Abort):
        siteview.confirm(plan)
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    with pytest.raises(UsageError, match="nobody is there"):
        siteview.confirm(plan)


def test_nobody_at_a_terminal_cannot_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="nobody is there") as caught:
        confirm(monkeypatch, "12:34:56:78\n", terminal=False)
    assert "--yes" in str(caught.value.hint)


def test_errors_of_several_nodes_are_told_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = [Unreachable("a.lab.test: is away"), Unreachable("b.lab.test: is away")]

    def fail(*_: object) -> None:
        raise ExceptionGroup("", [errors[0], ExceptionGroup("", [errors[1]])])

    monkeypatch.setattr("reseal.cli.sitesee.load_roster", fail)
    assert main(["site", "survey", "--site", str(tmp_path / "site.toml")]) == 1
    said = capsys.readouterr().err
    assert said.splitlines() == [f"reseal: error: {error}" for error in errors]


def test_what_a_plan_has_decided_is_not_decided_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--plan plan.json --batch 9 --allow a.lab.test --without b.lab.test"
    assert main(["site", "regenerate", *words.split()]) == 2
    said = capsys.readouterr().err
    assert "reseal: error: --batch, --without, --allow: the plan has decided" in said


def test_what_a_ca_has_signed_is_told_to_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def found(_: object) -> Discovered:
        ca, node = Certname("puppet.lab.test"), Certname("a.lab.test")
        return Discovered(ca, (node,), ("b c",))

    monkeypatch.setattr("reseal.cli.sitesee.discover_site", found)
    assert main(["site", "discover", "--ca", "puppet.lab.test", "--json"]) == 0
    wanted = {"ca": "puppet.lab.test", "nodes": ["a.lab.test"], "strange": ["b c"]}
    assert json.loads(capsys.readouterr().out) == wanted


def test_every_command_has_json() -> None:
    group = cast(typer.core.TyperGroup, typer.main.get_command(build(["site"])))
    commands = cast(typer.core.TyperGroup, group.commands["site"]).commands
    for name, command in commands.items():
        assert "--json" in {o for p in command.params for o in p.opts}, name
