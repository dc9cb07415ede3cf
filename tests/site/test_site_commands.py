"""`reseal site` on the command line, on a site that is simulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from site_samples import NOW, site

from reseal.cli.main import main
from reseal.clock import SystemClock
from reseal.site.facts import NodeFacts
from reseal.site.journal import Journal
from reseal.site.plan import Choices, make_plan
from reseal.site.roster import Roster
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
