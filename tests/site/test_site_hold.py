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

from reseal.errors import TimedOut
from reseal.site.context import Context
from reseal.site.enrol import AT_ONCE, looks_within
from reseal.site.facts import NodeFacts
from reseal.site.hold import Hold, policy_of, release
from reseal.site.local import LocalTransport
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.sequence import HELD
from reseal.site.target import Target
from reseal.site.transport import Result

OWNER = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
AGENT = "agent1.lab.test"
WITHOUT = "puppet.lab.test: requests do not wait to be signed"


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
        context = SimpleNamespace(
            plan=self.plan,
            warn=self.told.append,
            target=self.target,
            requests_wait=True,
        )
        self.run = cast(Context, context)

    async def target(self, name: str) -> Target:
        assert name == self.facts.name
        return self.at

    def hold(self) -> None:
        asyncio.run(Hold().do(self.at, self.run))

    def is_held(self) -> bool:
        return asyncio.run(Hold().done(self.at, self.run))

    def release(self) -> None:
        asyncio.run(release(self.run))

    def ask(self, name: str) -> subprocess.Popen[bytes]:
        """Ask the policy about a name, as a server does."""
        asked = subprocess.Popen([self.policy, name], stdin=subprocess.PIPE)
        assert asked.stdin is not None
        asked.stdin.write(b"a request\n")
        asked.stdin.close()
        return asked

    def waiting(self) -> list[str]:
        found = self.room.iterdir() if self.room.exists() else ()
        return sorted(path.name for path in found)

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
    assert not place.is_held()
    place.hold()
    assert place.policy.stat().st_mode & 0o777 == 0o755
    assert place.is_held()
    asked = place.ask(AGENT)
    place.until(AGENT)
    asked.terminate()
    asked.wait(10)
    place.release()
    assert not place.is_held()
    left = {path.name for path in place.policy.parent.iterdir()}
    assert left == {"it's ca", "run1"}
    assert [path.name for path in place.cadir.iterdir()] == ["signed"]
    place.release()


def test_whoever_waits_when_it_is_taken_away_is_answered(place: Place) -> None:
    place.hold()
    asked = place.ask(AGENT)
    place.until(AGENT)
    place.release()
    assert asked.wait(10) == 1
    assert not place.room.exists()


def test_what_a_lost_run_has_left_is_replaced(place: Place) -> None:
    place.hold()
    other = Target(place.facts, place.at.transport, "run2")
    assert not asyncio.run(Hold().done(other, place.run))
    asyncio.run(Hold().do(other, place.run))
    assert place.told == []
    assert asyncio.run(Hold().done(other, place.run))
    place.release()
    assert place.policy.exists(), "that of another run"


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_where_others_may_write_nothing_is_put(place: Place, mode: int) -> None:
    """They could have root execute what they like."""
    place.policy.parent.chmod(mode)
    place.hold()
    assert place.told == [f"{WITHOUT}: {place.policy} is where others may write"]
    assert not place.run.requests_wait
    assert {path.name for path in place.policy.parent.iterdir()} == {"it's ca", "run1"}


def test_a_file_that_came_meanwhile_stays(place: Place) -> None:
    place.policy.write_text("*.lab.test\n")
    place.hold()
    assert place.told == [f"{WITHOUT}: {place.policy} is there now"]
    place.release()
    assert place.policy.read_text() == "*.lab.test\n"
    assert not place.run.requests_wait


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
    assert place.told == [f"{WITHOUT}: {place.policy} cannot be executed"]
    assert not place.policy.exists()


def test_a_directory_that_is_gone_ends_no_run(place: Place) -> None:
    gone = replace(server(), policy=str(place.policy.parent / "gone/autosign.conf"))
    at = Target(replace(place.facts, server=gone), place.at.transport, "run1")
    asyncio.run(Hold().do(at, place.run))
    (told,) = place.told
    assert told.startswith(f"{WITHOUT}: {gone.policy} ca: exit status 1")


class Lost(LocalTransport):
    """A way to the CA's host that has broken."""

    async def run(self, *_: Any, **__: Any) -> Result:
        raise TimedOut("ca: no answer in 120 s")


def test_a_way_that_breaks_ends_no_run(place: Place) -> None:
    at = Target(place.facts, Lost("ca"), "run1")
    assert not asyncio.run(Hold().done(at, place.run))
    asyncio.run(Hold().do(at, place.run))
    assert place.told == [f"{WITHOUT}: {place.policy} ca: no answer in 120 s"]
    assert not place.run.requests_wait


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
    if holds:
        assert mine.index("server.start") < mine.index("requests.hold")


def test_nobody_waits_where_nobody_asks() -> None:
    names = tuple(facts.name for facts in site()[1:])
    plan = planned(holding("/etc/puppet/a"), without=names)
    assert not [step for step in plan.steps if step.action == "requests.hold"]


@pytest.mark.parametrize(
    ("why", "wait", "policy", "able", "seconds"),
    [
        ("it looks again soon", "15", "", True, 300),
        ("it is started anew at once", "120", "", True, 0),
        ("its request waited", "120", "/etc/puppet/a", True, AT_ONCE),
        ("it could not wait", "120", "/etc/puppet/a", False, 0),
        ("it never looks again", "0", "/etc/puppet/a", True, AT_ONCE),
    ],
)
def test_when_an_agent_is_started_anew(
    why: str, wait: str, policy: str, able: bool, seconds: int
) -> None:
    plan = planned(holding(policy))
    facts = replace(plan.node(AGENT), settings={"waitforcert": wait})
    limits = SimpleNamespace(certificate=300)
    context = SimpleNamespace(plan=plan, limits=limits, requests_wait=able)
    run = cast(Context, context)
    at = Target(facts, LocalTransport(AGENT, command_timeout=9), "run1")
    assert looks_within(at, run) == seconds, why
