"""`reseal site` on the command line, on a site that is simulated."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from site_samples import NOW, site

from reseal.cli.main import main
from reseal.cli.output import print_error
from reseal.cli.progress import Lines, Picture
from reseal.cli.siteview import plan_text, survey_text, verdict
from reseal.clock import SystemClock
from reseal.errors import CommandFailed, FaultsError
from reseal.site.check import Check
from reseal.site.facts import Fault, NodeFacts
from reseal.site.journal import Journal
from reseal.site.plan import Choices, make_plan
from reseal.site.roster import Roster
from reseal.site.run import Outcome
from reseal.site.rundir import JOURNAL, RunDirectory, parse_plan


def test_a_dry_run_prints_the_plan_for_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def surveyed(_: object) -> tuple[NodeFacts, ...]:
        return site(2)

    monkeypatch.setattr("reseal.cli.siterun.surveyed", surveyed)
    path = tmp_path / "site.toml"
    path.write_text('[[node]]\ncertname = "puppet.lab.test"\nroles = ["ca"]\n')
    words = ["site", "regenerate", "--site", str(path), "--dry-run", "--batch", "7"]
    assert main([*words, "--json"]) == 0
    plan = parse_plan(capsys.readouterr().out.encode(), "standard output")
    assert plan.choices.batch == 7
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("Run ")


def test_a_killed_run_is_told_as_far_as_it_got(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(site(2), Choices(), run="run1", now=NOW)
    directory = RunDirectory.create(tmp_path, plan, Roster(()))
    journal = Journal(directory.path / JOURNAL, SystemClock())
    journal.write("run", note="regenerate")
    journal.write("begun", plan.steps[0].id)
    journal.write("done", plan.steps[0].id, seconds=1.5)
    journal.close()
    page = tmp_path / "report.html"
    words = ["site", "report", "--runs", str(tmp_path), "--html", str(page)]
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ended_as"] == "open"
    assert [bar["step"] for bar in report["timeline"]] == [plan.steps[0].id]
    assert "✓ Proven" not in page.read_text()


EVIL = "\x1b]0;owned\x07\x9b2J\x08[bold]web[/bold]\r\n"


def test_what_a_node_says_never_steers_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = site(1)
    plan = make_plan(facts, Choices(), run="run1", now=NOW)
    fault = Fault("warning", EVIL, EVIL)
    odd = replace(facts[1], platform=EVIL, faults=(fault,))
    step = replace(plan.steps[0], title=EVIL)
    check = Check("agent1.lab.test", "handshake", False, EVIL)
    outcome = Outcome((), {"agent1.lab.test": EVIL}, ())
    print(survey_text([facts[0], odd]))
    print(plan_text(replace(plan, warnings=(EVIL,), left_out={"a": EVIL})))
    print(verdict([check], outcome))
    print_error(FaultsError(EVIL, [EVIL, EVIL], hint=EVIL))
    print_error(CommandFailed(EVIL, hint=EVIL))
    lines = Lines()
    lines.step(step, "failed", EVIL)
    lines.checked([check])
    said = "".join(capsys.readouterr())
    assert said.count("owned") > 10
    assert not [c for c in said if not c.isprintable() and c != "\n"]


def test_the_live_picture_shows_markup_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    plan = make_plan(site(1), Choices(), run="run1", now=NOW)
    with Picture(1) as picture:
        picture.step(plan.steps[0], "begun", "")
        picture.tell(plan.steps[0].id, f"waits for {EVIL}")
        picture.say(EVIL)
    said = stream.getvalue()
    assert "[bold]web[/bold]" in said
    assert "\x1b]0" not in said
    assert "\x9b" not in said
    assert "\x07" not in said
