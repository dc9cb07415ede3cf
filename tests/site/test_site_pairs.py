"""Keys that several nodes share: who has them, what replaces them, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from site_samples import NOW, certificate, node, site

from reseal.errors import SiteError
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.facts import NodeFacts
from reseal.site.material import CertificateFacts, ServiceFacts
from reseal.site.pairs import left_alone, pairs_of, shared, strays
from reseal.site.plan import Choices, Plan, make_plan

SERVERS, ALICE = "mcollective servers", "mcollective client alice"
CA, ONE, TWO = (node.name for node in site(2))


def own(name: str) -> CertificateFacts:
    """Return a node's own certificate."""
    return certificate(name, key_fingerprint=f"own key of {name}")


def copy(name: str, pair: str, key: str | None, **changes: Any) -> CopyFacts:
    """Return a copy of a pair: of a key, or, with `subject`, of its certificate."""
    subject = changes.pop("subject", "")
    found = CopyFacts(
        holds=("certificate",) if subject else ("key",),
        path=f"/etc/mco/{name}",
        own=False,
        there=True,
        owner="root:root",
        mode="0600",
        pair=pair,
        key=key,
        keys=0 if subject else 1,
        certificates=(certificate(subject, key_fingerprint=key),) if subject else (),
    )
    return replace(found, **changes)


def servers(key: str = "K") -> tuple[CopyFacts, ...]:
    """Return what a server has of the key that all of them share."""
    public = copy("public", SERVERS, key, subject="mcollective-servers")
    return copy("private", SERVERS, key), public


def client(key: str | None = "A", **changes: Any) -> CopyFacts:
    """Return alice's certificate, as a server has it."""
    return copy("clients/alice.pem", ALICE, key, subject="alice", **changes)


def alices(key: str = "A") -> tuple[CopyFacts, ...]:
    """Return what alice has herself."""
    own = copy("alice.key", ALICE, key)
    return own, copy("alice.pem", ALICE, key, subject="alice")


def with_copies(**found: tuple[CopyFacts, ...]) -> tuple[NodeFacts, ...]:
    """Return a site of two agents with copies on `ca`, `one` and `two`."""
    service = ServiceFacts("mcollective", active=True, enabled=True)
    by_name = {CA: found.get("ca"), ONE: found.get("one"), TWO: found.get("two")}
    nodes = (replace(each, hostcert=own(each.name)) for each in site(2))
    return tuple(
        replace(
            each,
            extensions=(
                ExtensionFacts("mcollective", "MCollective", (service,), copies),
            ),
        )
        if (copies := by_name[each.name])
        else each
        for each in nodes
    )


def planned(facts: tuple[NodeFacts, ...], **choices: Any) -> Plan:
    return make_plan(facts, Choices(**choices), run="run1", now=NOW)


# -- who has what ---------------------------------------------------------------------


def test_a_new_key_comes_where_the_old_one_was_and_nowhere_else() -> None:
    facts = with_copies(
        ca=servers(), one=(*servers(), client()), two=(*alices(), client())
    )
    first, second = pairs_of(facts)
    assert (first.title, first.subject) == ("mcollective-servers",) * 2
    assert (first.maker, first.holders, first.readers) == (CA, (CA, ONE), (CA, ONE))
    assert (second.title, second.maker, second.holders) == ("alice", TWO, (TWO,))
    assert second.readers == (ONE, TWO)
    assert shared(first) == (
        f"mcollective-servers: is made on {CA}; its private half is carried to {ONE}"
    )
    assert shared(second) == f"alice: is made on {TWO}; its public half to {ONE}"


def test_a_nodes_own_key_is_not_made_but_told_to_others() -> None:
    name = "mcollective client one"
    public = copy("one.pem", name, own(ONE).key_fingerprint, subject=ONE)
    (pair,) = pairs_of(with_copies(ca=(public,)))
    assert (pair.owner, pair.maker, pair.holders) == (ONE, "", ())
    assert shared(pair) == f"{ONE}: is {ONE}'s own; its public half to {CA}"


def test_a_bare_key_has_no_name() -> None:
    bare = copy("public", SERVERS, "K", subject="x", bare=True, certificates=())
    (pair,) = pairs_of(with_copies(ca=(copy("private", SERVERS, "K"), bare)))
    assert (pair.title, pair.subject) == (SERVERS, "")


def test_what_nobody_can_sign_with_is_left_and_told() -> None:
    facts = with_copies(ca=(client(),), one=(client(),))
    assert pairs_of(facts) == ()
    assert [each.node.name for each in left_alone(facts)] == [CA, ONE]
    plan = planned(facts)
    assert [text for text in plan.warnings if "is not renewed" in text] == [
        f"{ALICE}: its private key is on no node: its certificate on {CA}, {ONE} is "
        "not renewed; do that by hand"
    ]
    assert not [step for step in plan.steps if step.action.startswith("pair")]


# -- in the plan ----------------------------------------------------------------------


def test_shared_keys_are_made_first_and_carried_last() -> None:
    facts = with_copies(ca=servers(), one=servers(), two=(*alices(),))
    plan = planned(facts, batch=2)
    assert plan.phases[:3] == ("shared keys 1", "shared keys 2", "ca")
    assert plan.phases[-2:] == ("new shared keys 1", "new shared keys 2")
    made = [step.node for step in plan.steps if step.action == "pair.make"]
    carried = [step.node for step in plan.steps if step.action == "pair.copy"]
    assert made == carried == [CA, ONE, TWO]


def test_an_extension_that_is_skipped_keeps_its_keys() -> None:
    plan = planned(with_copies(ca=servers()), skip=("mcollective",))
    assert plan.pairs == ()


# -- what is stale --------------------------------------------------------------------


def found(facts: tuple[NodeFacts, ...]) -> list[tuple[str, str]]:
    return [(node.name, fault.message) for node, fault in strays(facts)]


def test_whoever_has_another_key_than_the_others_is_named() -> None:
    facts = with_copies(ca=servers(), one=servers("old"), two=servers())
    text = f"holds another key than the others have as {SERVERS}"
    assert found(facts) == [
        (ONE, f"MCollective: /etc/mco/{name}: {text}") for name in ("private", "public")
    ]
    assert found(with_copies(ca=servers(), one=servers())) == []


def test_what_is_unreadable_or_of_another_ca_is_named() -> None:
    facts = with_copies(ca=(client(), client(None, path="/etc/mco/x.pem")))
    text = "MCollective: /etc/mco/x.pem: holds no key and no certificate that can be"
    assert found(facts) == [(CA, f"{text} read")]
    (first, *others) = with_copies(ca=(client(),))
    trusted = (certificate("Puppet CA: new", identifier="aa"),)
    held = client(certificates=(certificate("alice", authority="bb"),))
    (extension,) = first.extensions
    stale = replace(
        first, trusted=trusted, extensions=(replace(extension, copies=(held,)),)
    )
    text = "holds a certificate of another CA than the node trusts"
    assert found((stale, *others)) == [
        (CA, f"MCollective: /etc/mco/clients/alice.pem: {text}")
    ]


# -- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("copies", "fault"),
    [
        ((client(link="/elsewhere"),), "is a link to /elsewhere"),
        ((client(None, cleared=True),), "lies where a run clears everything"),
        (
            (copy("x.pem", ALICE, own(ONE).key_fingerprint, subject="alice"),),
            f"is for alice, whose key is that of {ONE}",
        ),
        ((client(keys=1),), "holds a private key besides"),
        ((client(cleared=True),), "lies where a run clears everything"),
        (
            (replace(alices()[0], certificates=(certificate("alice"),)),),
            "holds certificates besides",
        ),
        (
            (copy("x.pem", ALICE, "K", subject=TWO), copy("x.key", ALICE, "K")),
            f"is for {TWO}, a node whose key is another",
        ),
        (
            (copy("x.key", ALICE, own(ONE).key_fingerprint),),
            f"holds the private key of {ONE}, which belongs there alone",
        ),
        (
            (*alices(), copy("x.pem", ALICE, "A", subject="bob")),
            "its key has certificates of alice and bob",
        ),
        (
            (client(certificates=(certificate("alice", issuer="Let's Try"),)),),
            "is of another CA, Let's Try",
        ),
        (
            (client(certificates=(certificate("A li/ce"),)),),
            "is for what is no certname",
        ),
    ],
)
def test_what_a_hostile_copy_may_not_bring_about(
    copies: tuple[CopyFacts, ...], fault: str
) -> None:
    with pytest.raises(SiteError) as caught:
        planned(with_copies(ca=copies))
    assert fault in str(caught.value)
    assert "--skip" in str(caught.value.hint)


def test_whoever_has_no_key_gets_none() -> None:
    """A node that shows the servers' certificate alone is no holder."""
    public = servers()[1]
    (pair,) = pairs_of(with_copies(ca=servers(), one=(public,)))
    assert pair.holders == (CA,)


def test_a_name_of_a_node_left_out_is_a_nodes_name_too() -> None:
    stranger = copy("x.pem", ALICE, "K", subject=node(TWO).certname)
    facts = with_copies(ca=(stranger, copy("x.key", ALICE, "K")))
    with pytest.raises(SiteError, match="a node whose key is another"):
        planned(facts, without=(TWO,))


def test_the_cas_host_makes_what_it_has_whatever_the_order_of_the_file() -> None:
    facts = with_copies(ca=servers(), one=servers())
    (pair,) = pairs_of(facts[::-1])
    assert pair.maker == CA


def test_the_key_of_a_node_left_out_stays_where_others_know_it() -> None:
    public = copy("two.pem", ALICE, own(TWO).key_fingerprint, subject=TWO)
    plan = planned(with_copies(ca=(public,)), without=(TWO,))
    assert plan.pairs == ()


def test_a_key_that_a_skipped_extension_has_stays_everywhere() -> None:
    facts = with_copies(ca=(client(),), one=alices())
    (extension,) = facts[1].extensions
    other = replace(facts[1], extensions=(replace(extension, name="client"),))
    plan = planned((facts[0], other, *facts[2:]), skip=("client",))
    assert plan.pairs == ()
    assert not [c for n in plan.facts for e in n.extensions for c in e.copies]
    assert f"{ALICE}: the key stays, for what is skipped has it" in plan.warnings
