"""Runs: the order of record and act, what a failure stops, and how one resumes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from site_samples import NOW, site

from reseal.clock import SystemClock
from reseal.errors import JournalError, StepFailed
from reseal.site.context import Context, Limits
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.facts import NodeFacts
from reseal.site.journal import Journal, read_journal
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.roster import Roster
from reseal.site.run import Outcome, Runner
from reseal.site.rundir import RunDirectory
from reseal.site.sequence import Action


@dataclass(frozen=True)
class FakeTarget:
    name: str


@dataclass
class World:
    """What is true of a simulated site: which step is done on which node."""

    journal: Path
    done: set[str] = field(default_factory=set)
    broken: dict[str, BaseException] = field(default_factory=dict)
    deeds: list[str] = field(default_factory=list)

    def act(self, action: Action) -> FakeAct:
        return FakeAct(self, action)


@dataclass(frozen=True)
class FakeAct:
    world: World
    action: Action

    async def done(self, at: FakeTarget, run: Context) -> bool:
        return f"{at.name}/{self.action}" in self.world.done

    async def do(self, at: FakeTarget, run: Context) -> None:
        step = f"{at.name}/{self.action}"
        last = list(read_journal(self.world.journal))
        assert any(line.step == step and line.event == "begun" for line in last)
        if step in self.world.broken:
            raise self.world.broken[step]
        self.world.deeds.append(step)
        self.world.done.add(step)


def untold(*_: object) -> None:
    """Take what a run tells, and say nothing."""


class Site:
    """A plan that is carried out on a simulated world."""

    def __init__(
        self,
        path: Path,
        agents: int = 3,
        batch: int = 2,
        facts: tuple[NodeFacts, ...] = (),
    ) -> None:
        choices = Choices(batch=batch)
        self.plan: Plan = make_plan(facts or site(agents), choices, run="run1", now=NOW)
        self.directory = RunDirectory.create(path, self.plan, Roster(()))
        self.world = World(self.directory.path / "journal.jsonl")

    def carry_out(self, failures: int = 3) -> Outcome:
        run = _FakeContext(self.plan, Limits(failures=failures))
        journal = Journal(self.world.journal, SystemClock())
        acts = {action: self.world.act(action) for action in get_args(Action)}
        runner = Runner(cast(Context, run), journal, untold, cast(Any, acts))
        try:
            return asyncio.run(runner.carry_out())
        finally:
            journal.close()


@dataclass
class _FakeContext:
    plan: Plan
    limits: Limits

    async def target(self, name: str) -> FakeTarget:
        return FakeTarget(name)


def test_every_step_is_done_in_the_order_of_the_plan(tmp_path: Path) -> None:
    small = Site(tmp_path)
    outcome = small.carry_out()
    assert not outcome.failed
    assert not outcome.untouched
    assert small.world.done == {step.id for step in small.plan.steps}
    ca = [step.id for step in small.plan.steps if step.phase == "ca"]
    assert small.world.deeds[: len(ca)] == ca


@pytest.mark.parametrize("phase", ["ca", "canary"])
def test_a_failure_at_the_ca_or_a_canary_leaves_the_rest_alone(
    tmp_path: Path, phase: str
) -> None:
    small = Site(tmp_path)
    step = next(step for step in small.plan.steps if step.phase == phase)
    small.world.broken[step.id] = StepFailed(f"{step.node}: no")
    outcome = small.carry_out()
    assert list(outcome.failed) == [step.node]
    assert "agent2.lab.test" in outcome.untouched
    assert not [deed for deed in small.world.deeds if deed.startswith("agent2")]


def test_a_service_that_fails_before_the_canary_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    facts, name = site(3), "agent1.lab.test"
    service = ExtensionFacts("shop", "Shop", (), ())
    shop = replace(facts[1], extensions=(service,))
    small = Site(tmp_path, facts=(facts[0], shop, *facts[2:]))
    assert small.plan.phases[1:3] == (f"Shop on {name}", "canary")
    small.world.broken[f"{name}/extension.start"] = StepFailed(f"{name}: no")
    outcome = small.carry_out()
    assert list(outcome.failed) == [name]
    assert "agent3.lab.test" in outcome.done


def test_a_node_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    small = Site(tmp_path, agents=5)
    small.world.broken["agent2.lab.test/agent.enrol"] = StepFailed("agent2: no")
    outcome = small.carry_out()
    assert list(outcome.failed) == ["agent2.lab.test"]
    assert "agent5.lab.test" in outcome.done
    assert "agent2.lab.test/agent.run" not in small.world.done


def test_no_batch_begins_once_too_many_have_failed(tmp_path: Path) -> None:
    small = Site(tmp_path, agents=7, batch=2)
    for name in ("agent2", "agent3"):
        small.world.broken[f"{name}.lab.test/agent.stop"] = StepFailed(f"{name}: no")
    outcome = small.carry_out(failures=1)
    assert sorted(outcome.failed) == ["agent2.lab.test", "agent3.lab.test"]
    assert "agent4.lab.test" in outcome.untouched


@pytest.mark.parametrize("error", [KeyError("key"), TypeError("x"), ValueError("x")])
def test_a_node_that_answers_nonsense_fails_alone(
    tmp_path: Path, error: Exception
) -> None:
    small = Site(tmp_path, agents=5)
    small.world.broken["agent2.lab.test/agent.enrol"] = error
    outcome = small.carry_out()
    wanted = "agent2.lab.test: answers what cannot be read"
    assert outcome.failed == {"agent2.lab.test": wanted}
    assert "agent5.lab.test" in outcome.done


def test_a_node_whose_last_phase_was_never_begun_is_not_done(tmp_path: Path) -> None:
    small = Site(tmp_path, agents=7, batch=2)
    small.world.broken["agent2.lab.test/agent.stop"] = StepFailed("agent2: no")
    outcome = small.carry_out(failures=0)
    assert outcome.left == ("puppet.lab.test",)
    assert outcome.done == ("agent1.lab.test", "agent3.lab.test")
    assert not outcome.whole


class Kill(BaseException):
    """Stands for SIGKILL: nothing of reseal may catch it."""


def test_a_run_killed_at_any_step_resumes_without_repeating_a_deed(
    tmp_path: Path,
) -> None:
    steps = [step.id for step in Site(tmp_path / "count").plan.steps]
    for number, step in enumerate(steps):
        small = Site(tmp_path / str(number))
        small.world.broken[step] = Kill()
        with pytest.raises(BaseExceptionGroup):
            small.carry_out()
        small.world.broken.clear()
        outcome = small.carry_out()
        assert not outcome.failed
        assert sorted(small.world.deeds) == sorted(steps)


def test_a_line_cut_short_by_a_power_cut_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, SystemClock())
    journal.write("begun", "a/agent.stop")
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"at": "2026-')
    again = Journal(path, SystemClock())
    again.write("done", "a/agent.stop", seconds=1.5)
    again.close()
    events = [(line.event, line.step, line.seconds) for line in read_journal(path)]
    assert events == [("begun", "a/agent.stop", 0.0), ("done", "a/agent.stop", 1.5)]


def test_a_plan_is_begun_once(tmp_path: Path) -> None:
    small = Site(tmp_path)
    with pytest.raises(JournalError, match="this plan has been begun"):
        RunDirectory.create(tmp_path, small.plan, Roster(()))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"clock_skew": float("inf")}, "not a plan: facts.1.clock_skew"),
        ({"disabled": "\udcff"}, "cannot be written"),
    ],
)
def test_a_plan_that_cannot_be_read_back_is_never_begun(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    plan = make_plan(site(1), Choices(), run="run1", now=NOW)
    odd = replace(plan.facts[1], **changes)
    with pytest.raises(JournalError, match=why):
        RunDirectory.create(
            tmp_path, replace(plan, facts=(plan.facts[0], odd)), Roster(())
        )
    assert not list(tmp_path.iterdir())


def test_a_runs_directory_is_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(site(1), Choices(), run="run1", now=NOW)

    def killed(*_: object, **__: object) -> None:
        assert not (tmp_path / "run1").exists()
        raise Kill

    with monkeypatch.context() as patch:
        patch.setattr("reseal.site.rundir.replace", killed)
        with pytest.raises(Kill):
            RunDirectory.create(tmp_path, plan, Roster(()))
    assert RunDirectory.create(tmp_path, plan, Roster(())).plan() == plan
    assert [path.name for path in tmp_path.iterdir()] == ["run1"]


def test_two_processes_never_work_on_one_run(tmp_path: Path) -> None:
    directory = Site(tmp_path).directory
    other = RunDirectory(directory.path)
    with (
        directory.locked(),
        pytest.raises(JournalError, match="another process works on this run"),
        other.locked(),
    ):
        pass


def test_the_latest_run_is_found_and_unknown_ones_are_named(tmp_path: Path) -> None:
    Site(tmp_path)
    assert RunDirectory.find(tmp_path, None).path.name == "run1"
    with pytest.raises(JournalError, match="run9: no such run") as caught:
        RunDirectory.find(tmp_path, "run9")
    assert "run1" in str(caught.value.hint)
