"""Whole runs: who may begin one, and what one bad node may not do to the others."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from site_samples import NOW, site

from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.clock import SystemClock
from reseal.site import campaign
from reseal.site.campaign import Hands
from reseal.site.context import Limits
from reseal.site.fleet import Fleet
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.platform import BACKUP_PARENT
from reseal.site.roster import Node, Roster
from reseal.site.rundir import BUNDLE, CRLS, RunDirectory
from reseal.site.transport import Result, Transport
from reseal.site.verify import Check
from reseal.x509.keys import LocalSigner, generate

CA = "puppet.lab.test"


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
        words = [arg.replace(BACKUP_PARENT, str(self.backups)) for arg in args]
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

    def __init__(self, place: Path, run: str = "run1") -> None:
        self.plan: Plan = make_plan(site(2), Choices(), run=run, now=NOW)
        nodes = tuple(
            Node(Certname(n.certname), n.roles, n.certname, "local")
            for n in self.plan.facts
        )
        self.roster = Roster(nodes)
        self.fleet = Hosts(self.roster, place / "hosts")
        self.runs = place / "runs"

    def created(self) -> RunDirectory:
        return RunDirectory.create(self.runs, self.plan, self.roster)


def hands(checked: list[Check] | None = None) -> Hands:
    seen = checked if checked is not None else []
    return Hands(SystemClock(), Limits(), lambda *_: None, lambda *_: None, seen.extend)


@pytest.fixture(scope="module")
def authority() -> tuple[bytes, bytes]:
    made = new_authority(
        shape="single",
        ruby=False,
        ca_name="Puppet CA: new",
        root_name=None,
        signer=LocalSigner(generate("rsa:2048")),
        root_signer=None,
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
