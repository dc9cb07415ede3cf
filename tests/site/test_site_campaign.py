"""Whole runs: who may begin one, and what one bad node may not do to the others."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from site_samples import NOW, server, site

from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.clock import SystemClock
from reseal.errors import JournalError, SiteError
from reseal.site import campaign
from reseal.site.campaign import Ended, Hands
from reseal.site.check import Check
from reseal.site.context import Context, Limits
from reseal.site.facts import BACKUPS
from reseal.site.fleet import Fleet
from reseal.site.hold import OURS
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.roster import Node, Roster
from reseal.site.run import Outcome
from reseal.site.rundir import BUNDLE, CRLS, REPORT, RunDirectory
from reseal.site.transport import Result, Transport
from reseal.x509.keys import LocalSigner, generate

CA = Certname("puppet.lab.test")


@dataclass
class Host:
    """A node whose backups lie under a directory of its own; scripts run here."""

    name: str
    backups: Path
    answers: dict[str, bytes] = field(default_factory=dict)

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        for sign, answer in self.answers.items():
            if sign in script or any(sign in arg for arg in args):
                return Result(0, answer, b"")
        if not args or not args[0].startswith(BACKUPS):
            return Result(1, b"", b"no such command here")
        words = [arg.replace(BACKUPS, str(self.backups)) for arg in args]
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", script, "reseal", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        stdout, stderr = await process.communicate(stdin)
        return Result(process.returncode or 0, stdout, stderr)

    async def close(self) -> None:
        """Nothing is kept open."""


class Hosts(Fleet):
    """The nodes of a site that is simulated under a directory."""

    def __init__(self, roster: Roster, place: Path) -> None:
        super().__init__(roster)
        self.hosts = {n.name: Host(n.name, place / n.name) for n in roster.nodes}

    async def connect(self, node: Node) -> Transport:
        return self.hosts[node.name]


class Small:
    """A plan, its run's directory, and a simulated site."""

    def __init__(self, place: Path, run: str = "run1", policy: str = "") -> None:
        host, *agents = site(2)
        facts = (replace(host, server=server(policy=policy)), *agents)
        self.plan: Plan = make_plan(facts, Choices(), run=run, now=NOW)
        nodes = tuple(
            Node(Certname(n.certname), n.roles, n.certname, "local")
            for n in self.plan.facts
        )
        self.roster = Roster(nodes)
        self.fleet = Hosts(self.roster, place / "hosts")
        self.runs = place / "runs"

    def created(self) -> RunDirectory:
        return RunDirectory.create(self.runs, self.plan, self.roster)

    def begin(self, warned: list[str] | None = None) -> tuple[RunDirectory, Ended]:
        means = hands(warned=warned)
        work = campaign.begin(self.plan, self.roster, self.fleet, self.runs, means)
        return asyncio.run(work)

    def resume(self, warned: list[str] | None = None) -> Ended:
        made, means = RunDirectory(self.runs / self.plan.run), hands(warned=warned)
        return asyncio.run(campaign.resume(made, self.fleet, means))

    def rollback(self, warned: list[str] | None = None) -> Outcome:
        directory, means = RunDirectory(self.runs / self.plan.run), hands(warned=warned)
        return asyncio.run(campaign.rollback(directory, self.fleet, means))

    @property
    def claimed(self) -> str | None:
        """The run that holds the claim on the CA's host."""
        path = self.fleet.hosts[CA].backups / "current"
        return path.read_text().strip() if path.exists() else None

    def mark(self, *names: str) -> None:
        """Leave marks of the run on the CA's host."""
        place = self.fleet.hosts[CA].backups / self.plan.run
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / name).touch()

    def report(self) -> dict[str, Any]:
        data = (self.runs / self.plan.run / REPORT).read_bytes()
        report: dict[str, Any] = json.loads(data)
        return report


def hands(checked: list[Check] | None = None, warned: list[str] | None = None) -> Hands:
    seen = checked if checked is not None else []
    said = warned if warned is not None else []
    return Hands(SystemClock(), Limits(), untold, untold, seen.extend, said.append)


def untold(*_: object) -> None:
    """Take what a run tells, and say nothing."""


@pytest.fixture(scope="module")
def authority() -> tuple[bytes, bytes]:
    made = new_authority(
        shape="single",
        ruby=False,
        ca=("Puppet CA: new", LocalSigner(generate("rsa:2048"))),
        root=None,
        server=None,
        ttl=timedelta(days=1),
        now=NOW,
    )
    return made.bundle_pem, made.crl_pem


@pytest.mark.parametrize("garbage", [b"[]", b"null", b'{"certificate": 7}', b"{}"])
def test_a_node_that_answers_nonsense_is_not_proven_and_the_others_are_looked_at(
    tmp_path: Path, authority: tuple[bytes, bytes], garbage: bytes
) -> None:
    small = Small(tmp_path)
    directory = small.created()
    for name, data in zip((BUNDLE, CRLS), authority, strict=True):
        directory.keep(name, data)
    for host in small.fleet.hosts.values():
        host.answers["/usr/bin/ruby"] = garbage
    seen: list[Check] = []
    checks = asyncio.run(campaign.verify(directory, small.fleet, hands(seen)))
    assert {check.node for check in checks} == {n.name for n in small.roster.nodes}
    assert not any(check.ok for check in checks)
    assert {check.note for check in checks} == {
        f"{node.name}: answers what cannot be read" for node in small.roster.nodes
    }
    assert sorted(map(str, seen)) == sorted(map(str, checks))


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every step succeed and every check be good."""

    class Done:
        def __init__(self, run: Context, *_: object) -> None:
            self._names = tuple(node.name for node in run.roster.nodes)
            run.directory.keep(BUNDLE, b"")

        async def carry_out(self) -> Outcome:
            return Outcome(self._names, {}, ())

    async def prove(run: Context, names: tuple[str, ...], *_: object) -> list[Check]:
        return [Check(name, "handshake", True, "") for name in names]

    monkeypatch.setattr(campaign, "Runner", Done)
    monkeypatch.setattr(campaign, "prove", prove)


def test_of_two_runs_that_begin_at_once_one_has_the_site(tmp_path: Path) -> None:
    one, two = Small(tmp_path, "run1"), Small(tmp_path, "run2")

    async def both() -> list[object]:
        return await asyncio.gather(
            *(
                campaign.begin(each.plan, each.roster, each.fleet, each.runs, hands())
                for each in (one, two)
            ),
            return_exceptions=True,
        )

    ended = asyncio.run(both())
    [refused] = [each for each in ended if isinstance(each, SiteError)]
    assert f"{CA}: run {one.claimed} on this site is unfinished" in str(refused)
    assert [path.name for path in one.runs.iterdir()] == [one.claimed]


def test_a_run_that_failed_keeps_the_site_until_it_is_taken_back(
    tmp_path: Path,
) -> None:
    small, other = Small(tmp_path, "run1"), Small(tmp_path, "run2")
    _, ended = small.begin()
    assert list(ended.outcome.failed) == [CA]
    with pytest.raises(SiteError, match="run run1 on this site is unfinished"):
        other.begin()
    assert list(small.resume().outcome.failed) == [CA]
    for host in small.fleet.hosts.values():
        host.answers["systemctl"] = b""
    assert small.rollback().whole
    assert small.report()["ended_as"] == "rolled back"
    assert small.report()["failures"] == {}
    assert small.claimed is None
    with pytest.raises(SiteError, match="run run1 was taken back"):
        small.resume()
    other.begin()
    assert other.claimed == "run2"
    with pytest.raises(SiteError, match="another run, run2, is on this site"):
        small.resume()
    with pytest.raises(SiteError, match="another run, run2, is on this site"):
        small.rollback()


def test_a_run_whose_directory_cannot_be_made_leaves_the_site_free(
    tmp_path: Path,
) -> None:
    small = Small(tmp_path)
    small.created()
    with pytest.raises(JournalError, match="has been begun"):
        small.begin()
    assert small.claimed is None


@pytest.mark.usefixtures("proven")
def test_a_node_lost_at_tidying_leaves_a_proven_run_proven(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.mark("manifest")
    _, ended = small.begin()
    assert ended.proven
    assert small.report()["ended_as"] == "proven"
    assert small.claimed is None
    warned: list[str] = []
    assert small.resume(warned).proven
    assert [line.partition(":")[0] for line in sorted(warned)] == [
        "agent1.lab.test",
        "agent2.lab.test",
    ]


def held(small: Small) -> Path:
    """Put the policy of a run on the CA's host."""
    path = small.fleet.hosts[CA].backups / "autosign.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{OURS}run1, which takes it away.\n")
    return path


@pytest.mark.usefixtures("proven")
@pytest.mark.parametrize("place", [BACKUPS, "/nowhere"])
def test_requests_wait_no_longer_when_a_run_has_ended(
    tmp_path: Path, place: str
) -> None:
    """And where the policy cannot be taken away, that is told and no more."""
    small = Small(tmp_path, policy=f"{place}/autosign.conf")
    path, warned = held(small), list[str]()
    small.mark("manifest")
    assert small.begin(warned)[1].proven
    assert path.exists() is (place != BACKUPS)
    told = [line for line in warned if "autosign policy may still be there" in line]
    assert len(told) == (place != BACKUPS)


def test_requests_wait_no_longer_when_a_run_is_taken_back(tmp_path: Path) -> None:
    small = Small(tmp_path, policy=f"{BACKUPS}/autosign.conf")
    path = held(small)
    for host in small.fleet.hosts.values():
        host.answers["systemctl"] = b""
    small.created()
    assert small.rollback().whole
    assert not path.exists()


def test_a_run_is_taken_back_though_its_policy_stays(tmp_path: Path) -> None:
    small = Small(tmp_path, policy="/nowhere/autosign.conf")
    for host in small.fleet.hosts.values():
        host.answers["systemctl"] = b""
    small.created()
    warned: list[str] = []
    assert small.rollback(warned).whole
    (told,) = warned
    assert "reseal's autosign policy may still be there" in told


@pytest.mark.usefixtures("proven")
def test_requests_wait_no_longer_when_a_run_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(_: object) -> Outcome:
        raise asyncio.CancelledError

    monkeypatch.setattr("reseal.site.campaign.Runner.carry_out", interrupted)
    small = Small(tmp_path, policy=f"{BACKUPS}/autosign.conf")
    path = held(small)
    with pytest.raises(asyncio.CancelledError):
        small.begin()
    assert not path.exists()


def test_a_finished_run_is_proven_again_and_nothing_is_done(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.created()
    small.mark("manifest", "finished")
    ended = small.resume()
    assert ended.outcome.whole
    assert not ended.proven
    assert small.report()["timeline"] == []


def test_a_run_that_was_taken_back_is_not_resumed(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.created()
    small.mark("manifest", "rolled-back")
    with pytest.raises(SiteError, match="run run1 was taken back") as caught:
        small.resume()
    assert "reseal site plan" in str(caught.value.hint)


def test_only_the_last_run_that_changed_the_site_is_taken_back(tmp_path: Path) -> None:
    one, two = Small(tmp_path, "run1"), Small(tmp_path, "run2")
    for host in one.fleet.hosts.values():
        host.answers["systemctl"] = b""
    one.created()
    one.mark("manifest", "finished")
    two.mark("manifest", "finished")
    with pytest.raises(SiteError, match="another, run2, came later"):
        one.rollback()
    assert one.claimed is None
    two.mark("rolled-back")
    assert one.rollback().whole
    assert one.claimed is None
