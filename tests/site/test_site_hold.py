"""Requests wait at the server until they are signed: the policy, by real shells."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from site_samples import NOW, ca_host, server, site

from reseal.site.context import Context
from reseal.site.enrol import AT_ONCE, looks_within
from reseal.site.facts import NodeFacts
from reseal.site.hold import Hold, Release, policy_of, release
from reseal.site.local import LocalTransport
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.sequence import HELD
from reseal.site.target import Target

OWNER = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
AGENT = "agent1.lab.test"


def planned(host: NodeFacts, **choices: Any) -> Plan:
    return make_plan((host, *site()[1:]), Choices(**choices), run="run1", now=NOW)


def holding(policy: str, **changes: Any) -> NodeFacts:
    """Return a CA's host whose autosign policy would be read at a place."""
    return ca_host(server=server(policy=policy, **changes))


class Place:
    """The CA's host in a directory."""

    def __init__(self, root: Path) -> None:
        self.policy, self.cadir = root / "autosign.conf", root / "it's ca"
        (self.cadir / "signed").mkdir(parents=True)
        facts = holding(str(self.policy), cadir=str(self.cadir), owner=OWNER)
        self.facts = replace(facts, backups=str(root))
        (root / "run1").mkdir()
        self.told: list[str] = []
        self.plan = planned(self.facts)
        self.at = Target(self.facts, LocalTransport("ca", command_timeout=30), "run1")
        context = SimpleNamespace(plan=self.plan, tell=lambda _, t: self.told.append(t))
        self.run = cast(Context, context)

    def hold(self) -> None:
        asyncio.run(Hold().do(self.at, self.run))

    def is_done(self, act: Hold | Release) -> bool:
        return asyncio.run(act.done(self.at, self.run))

    def ask(self, name: str) -> subprocess.Popen[bytes]:
        """Ask the policy about a name, as a server does."""
        asked = subprocess.Popen([self.policy, name], stdin=subprocess.PIPE)
        assert asked.stdin is not None
        asked.stdin.write(b"a request\n")
        asked.stdin.close()
        return asked

    def waiting(self) -> list[str]:
        return sorted(path.name for path in self.room.iterdir())

    def until(self, *names: str) -> None:
        """Wait until just these names' requests wait."""
        end = time.monotonic() + 10
        while self.waiting() != sorted(names):
            assert time.monotonic() < end, self.waiting()
            time.sleep(0.02)

    @property
    def room(self) -> Path:
        return self.cadir / "held-run1"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_request_waits_until_it_is_signed_and_is_never_granted(place: Place) -> None:
    place.hold()
    asked = place.ask(AGENT)
    place.until(AGENT)
    assert asked.poll() is None
    (place.cadir / "signed" / f"{AGENT}.pem").touch()
    assert asked.wait(10) == 1
    assert place.waiting() == []


@pytest.mark.parametrize(
    "name", ["stranger.lab.test", "", "#", "exit 1", "../x", "-e", "puppet.lab.test"]
)
def test_nobody_else_waits(place: Place, name: str) -> None:
    place.hold()
    (place.cadir / "signed").rmdir()
    assert place.ask(name).wait(10) == 1
    assert place.waiting() == []


def test_one_name_waits_once_and_only_so_many_wait(place: Place) -> None:
    place.hold()
    first = place.ask(AGENT)
    place.until(AGENT)
    assert place.ask(AGENT).wait(10) == 1, "the second one of this name"
    others = [f"other{number}" for number in range(HELD - 1)]
    for other in others:
        (place.room / other).mkdir()
    assert place.ask("agent2.lab.test").wait(10) == 1, "one too many"
    (place.room / others[0]).rmdir()
    third = place.ask("agent2.lab.test")
    place.until(AGENT, "agent2.lab.test", *others[1:])
    for asked in (first, third):
        asked.terminate()
        assert asked.wait(10) == 1
    place.until(*others[1:])


def test_it_ends_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reseal.site.hold.PATIENCE", 1)
    place.hold()
    begun = time.monotonic()
    assert place.ask(AGENT).wait(10) == 1
    assert time.monotonic() - begun >= 1


def test_it_is_put_there_whole_and_taken_away_again(place: Place) -> None:
    assert not place.is_done(Hold())
    place.hold()
    assert place.policy.stat().st_mode & 0o777 == 0o755
    assert place.room.stat().st_mode & 0o777 == 0o700
    assert place.is_done(Hold())
    assert not place.is_done(Release())
    asyncio.run(Release().do(place.at, place.run))
    assert place.is_done(Release())
    assert place.is_done(Hold()), "a resumed run does not put it there again"
    left = {path.name for path in place.policy.parent.iterdir()}
    assert left == {"it's ca", "run1"}
    assert [path.name for path in place.cadir.iterdir()] == ["signed"]


def test_a_file_that_came_meanwhile_stays(place: Place) -> None:
    place.policy.write_text("*.lab.test\n")
    place.hold()
    assert place.told == [f"{place.policy} is there now: requests do not wait"]
    asyncio.run(release(place.at))
    assert place.policy.read_text() == "*.lab.test\n"


def test_a_link_that_leads_nowhere_stays(place: Place) -> None:
    place.policy.symlink_to("nowhere")
    place.hold()
    assert place.policy.is_symlink()
    assert not (place.policy.parent / "nowhere").exists()


def test_without_a_shell_that_runs_it_the_run_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reseal.site.hold._SHELL", "#!/no/such/shell")
    place.hold()
    assert place.told == [f"{place.policy} cannot be executed: requests do not wait"]
    assert not place.policy.exists()


def test_a_disk_that_takes_nothing_ends_no_run(place: Place) -> None:
    place.room.write_text("no directory")
    place.hold()
    (told,) = place.told
    assert "held-run1" in told
    assert told.endswith(": requests do not wait")
    assert not place.policy.exists()


def test_the_policy_waits_for_every_node_that_enrols(place: Place) -> None:
    text = policy_of(place.at, place.plan)
    assert text.splitlines()[-3:] == [f"#: agent{n}.lab.test" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("why", "host", "choices", "holds"),
    [
        ("Puppet Server, and nothing there", holding("/etc/puppet/a"), {}, True),
        ("autosign's file is there", holding(""), {}, False),
        ("WEBrick", holding("/etc/puppet/a", kind="webrick"), {}, False),
        ("ours", holding("/etc/puppet/a", kind="reseal"), {}, False),
        ("too many", holding("/etc/puppet/a"), {"batch": HELD + 1}, False),
    ],
)
def test_where_requests_wait(
    why: str, host: NodeFacts, choices: dict[str, Any], holds: bool
) -> None:
    plan = planned(host, **choices)
    mine = [step.action for step in plan.steps if step.node == host.name]
    assert ("requests.hold" in mine) is holds, why
    assert ("requests.release" in mine) is holds, why
    if holds:
        assert mine.index("server.start") < mine.index("requests.hold")
        assert mine[-2:] == ["requests.release", "agent.run"]
        assert [step.action for step in plan.steps][-1] == "agent.run"


def test_nobody_waits_where_nobody_asks() -> None:
    names = tuple(facts.name for facts in site()[1:])
    plan = planned(holding("/etc/puppet/a"), without=names)
    assert not [step for step in plan.steps if step.action == "requests.hold"]


@pytest.mark.parametrize(
    ("why", "wait", "policy", "seconds"),
    [
        ("it looks again soon", "15", "", 300),
        ("it is started anew at once", "120", "", 0),
        ("its request waited", "120", "/etc/puppet/a", AT_ONCE),
        ("it never looks again", "0", "/etc/puppet/a", AT_ONCE),
    ],
)
def test_when_an_agent_is_started_anew(
    why: str, wait: str, policy: str, seconds: int
) -> None:
    plan = planned(holding(policy))
    facts = replace(plan.node(AGENT), settings={"waitforcert": wait})
    limits = SimpleNamespace(certificate=300)
    run = cast(Context, SimpleNamespace(plan=plan, limits=limits))
    at = Target(facts, LocalTransport(AGENT, command_timeout=9), "run1")
    assert looks_within(at, run) == seconds, why
