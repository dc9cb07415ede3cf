"""New copies of the certificates that are: what is planned, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from site_samples import NOW, certificate, site
from test_site_pairs import CA, ONE, TWO, servers, with_copies

from reseal.cli.siteoptions import chosen
from reseal.cli.siteview import plan_text
from reseal.errors import SiteError, UsageError
from reseal.site.copyfacts import CopyFacts, ExtensionFacts
from reseal.site.drift import require_unmoved
from reseal.site.facts import NodeFacts
from reseal.site.material import ServiceFacts
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.rundir import dump_plan, parse_plan
from reseal.site.target import Target


def with_shop(*names: str, first: bool = True) -> tuple[NodeFacts, ...]:
    """Return a site with a shop on these nodes, whose copy is of an older CA."""
    service = ServiceFacts("shop", active=True, enabled=True)
    return tuple(
        replace(
            each,
            extensions=(
                ExtensionFacts("shop", "Shop", (service,), (ca_copy(),), first=first),
                ExtensionFacts("other", "Other", (service,), (), first=first),
            ),
        )
        if each.name in names
        else each
        for each in site(2)
    )


def ca_copy() -> CopyFacts:
    return CopyFacts(
        holds=("ca",),
        path="/etc/shop/ca.pem",
        own=False,
        there=True,
        owner="shop:shop",
        mode="0644",
        certificates=(certificate("Puppet CA: puppet.lab.test", 2),),
    )


def planned(facts: tuple[NodeFacts, ...], **choices: Any) -> Plan:
    return make_plan(facts, Choices(only=("shop",), **choices), run="run1", now=NOW)


def test_nothing_of_puppets_is_touched() -> None:
    plan = planned(with_shop(ONE, TWO))
    assert (plan.goal, plan.generation) == ("renew", None)
    assert [step.id for step in plan.steps] == [
        f"{name}/{action}"
        for name in (ONE, TWO)
        for action in ("copies.backup", "extension.copy", "extension.start")
    ]
    assert plan.phases == (f"Shop on {ONE}", f"Shop on {TWO}")
    assert [each.name for each in plan.node(ONE).extensions] == ["shop"]
    with pytest.raises(SiteError, match="makes no new CA"):
        _ = plan.new_ca
    at = Target(plan.node(ONE), None, plan.run, whole=False)  # type: ignore[arg-type]
    assert at.paths == ("/etc/shop/ca.pem",)


def test_nodes_that_no_other_waits_for_are_done_at_once() -> None:
    plan = planned(with_shop(ONE, TWO, first=False), batch=1)
    assert plan.phases == ("batch 1", "batch 2")


def test_it_is_told_and_kept_as_what_it_is() -> None:
    plan = planned(with_shop(ONE))
    text = plan_text(plan)
    assert "renew the copies of shop on 1 nodes" in text
    assert "New CA" not in text
    assert "server is down" not in text
    assert parse_plan(dump_plan(plan), "plan") == plan
    require_unmoved(plan, with_shop(ONE))


def test_what_a_node_does_not_have_cannot_be_copied() -> None:
    first, *others = with_shop(CA)
    with pytest.raises(SiteError, match="has no certificate that its key belongs to"):
        planned((replace(first, key_matches=False), *others))


def test_what_is_wrong_elsewhere_stands_in_nobodys_way() -> None:
    first, *others, last = with_shop(ONE)
    gone = replace(last, reachable=False)
    plan = planned((first, *others, gone))
    assert {step.node for step in plan.steps} == {ONE}


def test_shared_keys_stay() -> None:
    facts = with_copies(ca=servers(), one=servers())
    plan = make_plan(facts, Choices(only=("mcollective",)), run="run1", now=NOW)
    assert not plan.pairs
    assert not [step for step in plan.steps if step.action.startswith("pair")]


def test_what_is_on_no_node_cannot_be_renewed() -> None:
    with pytest.raises(SiteError, match="shop: on no node") as caught:
        planned(site(2))
    assert caught.value.hint == "found are: none"


def test_it_signs_nothing_and_skips_nothing() -> None:
    assert chosen(None, ["x"], None, None, ["shop"]).only == ("shop",)
    for allow, skip in ((["x"], None), (None, ["x"])):
        with pytest.raises(UsageError, match="no --skip or --allow"):
            chosen(None, None, allow, skip, ["shop"])
