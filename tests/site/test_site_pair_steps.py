"""Shared keys: who has shown that he has one, what is certified, what is carried."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from site_samples import NOW, certificate, site
from test_site_pairs import CA, ONE, TWO, alices, client, copy, with_copies

from reseal.ca.newca import Leaf
from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.errors import ResealError, StepFailed
from reseal.node import keys as deeds
from reseal.site.context import Context
from reseal.site.copyfacts import CopyFacts
from reseal.site.facts import NodeFacts
from reseal.site.journal import Journal
from reseal.site.pair_material import proof_name, public_name
from reseal.site.pair_steps import CopyPairs, MakePairs
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.rollback import Rollback
from reseal.site.roster import Roster
from reseal.site.rundir import RunDirectory
from reseal.site.target import Target
from reseal.site.transport import Result, Transport
from reseal.x509 import crl, keys
from reseal.x509.bundle import dump_crls
from reseal.x509.certificate import public_key, subject, subject_key_id, to_pem
from reseal.x509.crlentry import Entry
from reseal.x509.keys import LocalSigner, PrivateKey, dump_private, key_fingerprint

CADIR = "/etc/puppet/puppetserver/ca"


def generated() -> PrivateKey:
    return keys.generate("rsa:2048")


ALICE, MALLORY, NEW = generated(), generated(), generated()
OURS = LocalSigner(generated())
KEY = key_fingerprint(ALICE.public_key())


class Old:
    """The old CA, which has certified alice's key."""

    def __init__(self, key: PrivateKey = ALICE, *, revoked: bool = False) -> None:
        made = new_authority(
            shape="single",
            ruby=False,
            ca=("Puppet CA: old", OURS),
            root=None,
            server=None,
            ttl=timedelta(days=30),
            now=datetime.now(UTC),
            others=[Leaf(Certname("alice"), key.public_key(), ("DNS:alice",))],
        )
        (leaf,) = made.others
        lists = made.crl_pem
        if revoked:
            lists = dump_crls([_with(made.ca_certificate, leaf.serial_number)])
        self.files = {
            f"{CADIR}/signed/alice.pem": to_pem(leaf),
            f"{CADIR}/ca_crl.pem": lists,
        }


def _with(ca: Any, serial: int) -> Any:
    now = datetime.now(UTC).replace(microsecond=0)
    empty = crl.build(
        OURS,
        subject(ca),
        number=0,
        this_update=now,
        next_update=now + timedelta(days=1),
        key_id=subject_key_id(ca),
    )
    later = now + timedelta(days=1)
    entries = [Entry(serial, now)]
    return crl.extend(empty, entries, OURS, this_update=now, next_update=later)


@dataclass
class Node:
    """A node that does what it is asked, and what it has."""

    facts: NodeFacts
    has_key: PrivateKey = ALICE
    says: PrivateKey | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    copied: dict[str, bytes] = field(default_factory=dict)
    whole: bool = True
    backup: str = "/var/backups/reseal/run1"

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def paths(self) -> tuple[str, ...]:
        return ("/etc/mco/alice.key",)

    @property
    def transport(self) -> Transport:
        return cast(Transport, self)

    async def run(self, script: str, *args: str, **_: object) -> Result:
        if args and args[0] in self.files:
            return Result(0, self.files[args[0]], b"")
        return Result(44, b"", b"") if "cat --" in script else Result(0, b"", b"")

    async def has(self, mark: str) -> bool:
        return mark in self.marks

    async def mark(self, mark: str) -> None:
        self.marks.add(mark)

    async def is_active(self, service: object) -> bool:
        return False

    async def start(self, service: object) -> None:
        """It is started."""

    async def ask(self, deed: str, *args: str, stdin: bytes = b"", **_: object) -> Any:
        self.asked.append((deed, *args))
        if deed == "vouch":
            return self._vouch(base64.b64decode(stdin))
        if deed == "make_keys":
            paths = [word.partition("=")[0] for word in args[1:]]
            self.files |= {path: dump_private(NEW) for path in paths}
            pem = keys.dump_public(NEW.public_key()).decode()
            return dict.fromkeys(paths, pem)
        for order in json.loads(stdin or b"[]"):
            self.copied[order["path"]] = base64.b64decode(order["content"])
        return {}

    def _vouch(self, challenge: bytes) -> dict[str, str]:
        signature = LocalSigner(self.has_key).sign(deeds.WORDS + challenge)
        shown = (self.says or self.has_key).public_key()
        return {
            "public": base64.b64encode(keys.public_info(shown)).decode(),
            "signature": base64.b64encode(signature).decode(),
        }


@dataclass
class Run:
    """A run on these nodes."""

    plan: Plan
    directory: RunDirectory
    nodes: dict[str, Node]

    async def target(self, name: str) -> Node:
        return self.nodes[name]

    def tell(self, step: str, words: str) -> None:
        """Nobody listens."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made(tmp_path, Old())


def made(place: Path, old: Old, *, two: tuple[CopyFacts, ...] = ()) -> Run:
    """Return a run where alice is on agent1, and the CA's host and agent2 know her."""
    facts = with_copies(ca=(client(KEY),), one=alices(KEY), two=two or (client(KEY),))
    plan = make_plan(facts, Choices(), run="run1", now=NOW)
    nodes = {each.name: Node(each) for each in plan.facts}
    nodes[CA].files = old.files
    return Run(plan, RunDirectory.create(place, plan, Roster(())), nodes)


def step(act: MakePairs | CopyPairs, node: str, run: Run) -> None:
    at = cast(Target, run.nodes[node])
    asyncio.run(act.do(at, cast(Context, run)))


def done(act: MakePairs | CopyPairs, node: str, run: Run) -> bool:
    at = cast(Target, run.nodes[node])
    return asyncio.run(act.done(at, cast(Context, run)))


def kept(run: Run) -> Iterator[str]:
    return (path.name for path in run.directory.path.glob("pair-*"))


def test_a_key_is_made_where_its_forerunner_was_shown(run: Run) -> None:
    (pair,) = run.plan.pairs
    assert (pair.maker, pair.subject) == (ONE, "alice")
    assert not done(MakePairs(), ONE, run)
    step(MakePairs(), ONE, run)
    assert [deed for deed, *_ in run.nodes[ONE].asked] == ["vouch", "make_keys"]
    assert sorted(kept(run)) == sorted(
        [proof_name(pair, ONE), public_name(pair), f"{pair.name}.old.pem"]
    )


def test_whoever_was_tidied_up_is_not_asked_again(run: Run) -> None:
    run.nodes[ONE].marks.add("finished")
    assert done(MakePairs(), ONE, run)


@pytest.mark.parametrize(
    ("has_key", "says", "why"),
    [
        (MALLORY, ALICE, "does not sign what it should"),
        (MALLORY, None, "is another key than it was"),
    ],
)
def test_whoever_only_says_that_he_has_a_key_gets_none(
    run: Run, has_key: PrivateKey, says: PrivateKey | None, why: str
) -> None:
    run.nodes[ONE].has_key, run.nodes[ONE].says = has_key, says
    with pytest.raises(StepFailed, match=why):
        step(MakePairs(), ONE, run)
    assert not [*kept(run)]
    assert "make_keys" not in {deed for deed, *_ in run.nodes[ONE].asked}


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (Old(MALLORY), "the CA has given that name to another key"),
        (Old(revoked=True), "the CA has revoked it"),
    ],
)
def test_a_name_is_certified_only_as_the_old_ca_has_it(
    tmp_path: Path, old: Old, why: str
) -> None:
    run = made(tmp_path, old)
    with pytest.raises(StepFailed, match=why):
        step(MakePairs(), ONE, run)
    assert "make_keys" not in {deed for deed, *_ in run.nodes[ONE].asked}


def test_a_name_that_the_ca_does_not_know_is_not_certified(run: Run) -> None:
    run.nodes[CA].files = {}
    with pytest.raises(StepFailed, match="no such file"):
        step(MakePairs(), ONE, run)


def certified(run: Run) -> bytes:
    """Let the new CA certify alice's new key."""
    (pair,) = run.plan.pairs
    fresh = Old(NEW).files[f"{CADIR}/signed/alice.pem"]
    run.directory.keep(f"{pair.name}.pem", fresh)
    return fresh


def test_each_gets_what_it_had(run: Run) -> None:
    step(MakePairs(), ONE, run)
    fresh = certified(run)
    for name in (CA, ONE, TWO):
        run.nodes[name].marks.add("manifest")
        step(CopyPairs(), name, run)
    assert run.nodes[CA].copied == {"/etc/mco/clients/alice.pem": fresh}
    assert run.nodes[TWO].copied == run.nodes[CA].copied
    assert run.nodes[ONE].copied == {
        "/etc/mco/alice.key": dump_private(NEW),
        "/etc/mco/alice.pem": fresh,
    }


def test_who_has_not_shown_the_old_key_gets_no_new_one_but_all_else(
    tmp_path: Path,
) -> None:
    run = made(tmp_path, Old(), two=alices(KEY))
    step(MakePairs(), ONE, run)
    fresh = certified(run)
    run.nodes[TWO].marks.add("manifest")
    with pytest.raises(StepFailed, match="has not shown that it had alice"):
        step(CopyPairs(), TWO, run)
    assert run.nodes[TWO].copied == {"/etc/mco/alice.pem": fresh}
    assert "pairs-copied" not in run.nodes[TWO].marks


def with_owner(place: Path, signed: PrivateKey) -> Run:
    """Return a run where others know a node's own key, which the CA has as given."""
    name = "mcollective client one"
    public = copy("one.pem", name, KEY, subject=ONE)
    facts = tuple(
        replace(each, hostcert=certificate(ONE, key_fingerprint=KEY))
        if each.name == ONE
        else each
        for each in with_copies(ca=(public,))
    )
    plan = make_plan(facts, Choices(), run="run1", now=NOW)
    nodes = {each.name: Node(each) for each in plan.facts}
    old = Old(signed).files
    old[f"{CADIR}/signed/{ONE}.pem"] = old[f"{CADIR}/signed/alice.pem"]
    nodes[CA].files = old
    return Run(plan, RunDirectory.create(place, plan, Roster(())), nodes)


def test_a_nodes_own_key_is_told_to_others_only_if_the_ca_knows_it(
    tmp_path: Path,
) -> None:
    """A node may show any certificate as its own, as that of an administrator."""
    run = with_owner(tmp_path / "good", ALICE)
    (pair,) = run.plan.pairs
    assert pair.owner == ONE
    assert [s.node for s in run.plan.steps if s.action == "pair.make"] == [ONE]
    step(MakePairs(), ONE, run)
    assert [*kept(run)] == [proof_name(pair, ONE)]
    liar = with_owner(tmp_path / "bad", MALLORY)
    with pytest.raises(StepFailed, match="has given that name to another key"):
        step(MakePairs(), ONE, liar)
    liar.nodes[CA].marks.add("manifest")
    with pytest.raises(StepFailed, match="has not been seen to know its key"):
        step(CopyPairs(), CA, liar)
    assert not liar.nodes[CA].copied


def test_what_is_carried_is_what_was_certified(tmp_path: Path) -> None:
    run = made(tmp_path, Old(), two=alices(KEY))
    for name in (ONE, TWO):
        step(MakePairs(), name, run)
    certified(run)
    (path,) = (path for path in run.nodes[ONE].files if path.endswith(".pem"))
    run.nodes[ONE].files[path] = dump_private(MALLORY)
    run.nodes[TWO].marks.add("manifest")
    with pytest.raises(StepFailed, match="is not the key that was made"):
        step(CopyPairs(), TWO, run)
    assert "/etc/mco/alice.key" not in run.nodes[TWO].copied


def test_nothing_is_replaced_without_a_backup(run: Run) -> None:
    step(MakePairs(), ONE, run)
    certified(run)
    with pytest.raises(ResealError, match="has no backup"):
        step(CopyPairs(), CA, run)


def test_copies_alone_are_put_back_whenever_their_run_broke_off(run: Run) -> None:
    """Nothing but the backup says that such a run has begun to replace them."""
    node = run.nodes[ONE]
    node.facts = replace(site(2)[1], extensions=())
    node.whole = False
    node.marks.add("manifest")
    journal = cast(Journal, None)
    work = Rollback(cast(Context, run), journal)
    asyncio.run(work._take_back(cast(Target, node)))
    assert ("restore", node.backup, "/etc/mco/alice.key") in node.asked


def test_the_new_certificate_is_for_the_new_key() -> None:
    (leaf,) = new_authority(
        shape="single",
        ruby=False,
        ca=("Puppet CA: new", OURS),
        root=None,
        server=Leaf(Certname("puppet"), MALLORY.public_key()),
        ttl=timedelta(days=30),
        now=datetime.now(UTC),
        first_serial=7,
        others=[Leaf(Certname("alice"), NEW.public_key(), ("DNS:alice",))],
    ).others
    assert leaf.serial_number == 9
    assert key_fingerprint(public_key(leaf)) == key_fingerprint(NEW.public_key())
