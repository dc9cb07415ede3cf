"""Plans: the order of what is done, and what is refused before anything is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from site_samples import NOW, ca_host, certificate, node, server, site

from reseal.errors import JournalError, PlanStale, PuppetEnterprise, SiteError
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.drift import require_unmoved
from reseal.site.facts import Fault, NodeFacts, Role
from reseal.site.material import ServiceFacts
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.rundir import dump_plan, parse_plan


def planned(facts: tuple[NodeFacts, ...], **choices: Any) -> Plan:
    return make_plan(facts, Choices(**choices), run="run1", now=NOW)


def test_the_ca_comes_first_then_a_canary_then_batches() -> None:
    plan = planned(site(5), batch=2)
    assert plan.phases == ("ca", "canary", "batch 1", "batch 2", "server's run")
    assert list(plan.of("canary")) == ["agent1.lab.test"]
    assert list(plan.of("batch 1")) == ["agent2.lab.test", "agent3.lab.test"]


def test_each_platform_and_version_has_a_canary() -> None:
    old = node("old.lab.test", puppet_version="5.5.22")
    plan = planned((*site(3), old))
    assert list(plan.of("canary")) == ["agent1.lab.test", "old.lab.test"]


def test_everything_of_the_new_ca_is_made_before_the_old_server_stops() -> None:
    actions = [step.action for step in planned(site()).of("ca")["puppet.lab.test"]]
    assert actions.index("agent.backup") < actions.index("ca.prepare")
    assert actions.index("ca.prepare") < actions.index("server.stop")
    assert actions.index("server.stop") < actions.index("ca.install")


def test_nothing_is_cleared_before_its_backup() -> None:
    for steps in planned(site()).of("batch 1").values():
        actions = [step.action for step in steps]
        assert actions.index("agent.backup") < actions.index("agent.clear")


def test_a_web_server_has_its_copies_before_it_starts_for_a_rack_master() -> None:
    """One whose files are copies would show the old certificate."""
    host, apache = ca_host(), ServiceFacts("apache2", active=True, enabled=True)
    front = ExtensionFacts("apache", "Apache", (apache,), ())
    another = ServiceFacts("puppetdb", active=True, enabled=True)
    other = replace(front, name="puppetdb", title="PuppetDB", services=(another,))
    rack = replace(server(), kind="rack", service=apache)
    host = replace(host, server=rack, extensions=(front,))
    plan = planned((host, *site()[1:]))
    actions = [step.action for step in plan.of("ca")[host.name]]
    assert actions.index("ca.install") < actions.index("extension.copy")
    assert actions.index("extension.copy") < actions.index("server.start")
    assert not [step for step in plan.steps if step.action == "extension.start"]

    plan = planned((replace(host, extensions=(front, other)), *site()[1:]))
    (phase,) = (name for name in plan.phases if "PuppetDB" in name)
    actions = [step.action for step in plan.of(phase)[host.name]]
    assert actions == ["extension.start"], "the copies are there already"

    both = replace(front, services=(apache, another))
    plan = planned((replace(host, extensions=(both,)), *site()[1:]))
    (started,) = (s for s in plan.steps if s.action == "extension.start")
    assert started.node == host.name, "the server's start is not that of the other"


def test_a_compiler_goes_alone_with_its_server_stopped() -> None:
    compiler = node(
        "compiler.lab.test", ("server", "agent"), server=server(is_ca=False)
    )
    plan = planned((*site(2), compiler))
    actions = [step.action for step in plan.of("compiler 1")["compiler.lab.test"]]
    assert actions.index("server.stop") < actions.index("agent.clear")
    assert actions.index("agent.enrol") < actions.index("server.start")
    assert plan.phases == ("ca", "compiler 1", "canary", "batch 1", "server's run")


def test_who_has_catalogs_from_a_compiler_has_its_run_after_it() -> None:
    """And a compiler has its own after the service that it works with."""
    names = [f"compiler{number}.lab.test" for number in (1, 2)]
    roles: tuple[Role, ...] = ("server", "agent")
    compilers = [node(name, roles, server=server(is_ca=False)) for name in names]
    host, agent = site(1)
    shop = ExtensionFacts("shop", "Shop", (), ())
    db = replace(node("db.lab.test"), extensions=(shop,))
    plan = planned((host, agent, db, *compilers))
    assert plan.phases == (
        *("ca", "Shop on db.lab.test", "compiler 1", "compiler 2"),
        *("services' runs", "canary", "server's run"),
    )
    steps = [step.action for step in plan.of("Shop on db.lab.test")["db.lab.test"]]
    assert steps[-2:] == ["extension.copy", "extension.start"]
    (run,) = plan.of("services' runs")["db.lab.test"]
    assert run.action == "agent.run"


@pytest.mark.parametrize("name", ["", "../run1", "run 1", "$(id)", "-r", "run1\n"])
def test_a_runs_name_leads_nowhere_else(name: str) -> None:
    data = dump_plan(replace(planned(site()), run=name))
    with pytest.raises(JournalError, match="names no run"):
        parse_plan(data, "plan.json")


@pytest.mark.parametrize(
    ("why", "host", "agents", "shape", "ruby"),
    [
        ("a chain stays one", server(), "7.23.0", "chain", False),
        ("a single CA stays one", server(shape="single"), "7.23.0", "single", False),
        ("agents before 6 need a single CA", server(), "5.5.22", "single", False),
        (
            "Puppet Server before 6 has Ruby's layout",
            server(version="5.3.16", shape="single"),
            "7.23.0",
            "single",
            True,
        ),
        (
            "reseal's server keeps the layout that it found",
            server(kind="reseal", version="0.1.0", infra=True),
            "7",
            "chain",
            False,
        ),
        (
            "and that may be Ruby's",
            server(kind="reseal", version="0.1.0", shape="single"),
            "7",
            "single",
            True,
        ),
        (
            "a version that is unknown is no old one",
            server(version=""),
            "7",
            "chain",
            False,
        ),
        (
            "a master before 6 has Ruby's layout",
            server(kind="webrick", version="5.5.22", shape="single"),
            "5.5.22",
            "single",
            True,
        ),
    ],
)
def test_the_shape_of_the_new_ca(
    why: str, host: object, agents: str, shape: str, ruby: bool
) -> None:
    facts = (ca_host(server=host), node("a.lab.test", puppet_version=agents))
    generation = planned(facts).new_ca
    assert (generation.shape, generation.ruby) == (shape, ruby), why


def test_no_name_and_no_serial_number_of_the_old_ca_comes_again() -> None:
    generation = planned(site()).new_ca
    assert generation.ca_name == "Puppet CA: puppet.lab.test 20261123T210405Z"
    assert generation.root_name == "Puppet Root CA: 20261123T210405Z"
    assert generation.first_serial == 10


@pytest.mark.parametrize(
    ("why", "broken", "message"),
    [
        (
            "not reached",
            node("web01.lab.test", reachable=False),
            "web01.lab.test: cannot be reached",
        ),
        (
            "a fault of the survey",
            node("web01.lab.test", faults=(Fault("fault", "no room", "free it"),)),
            "web01.lab.test: no room",
        ),
    ],
)
def test_an_obstacle_is_refused_with_a_way_out(
    why: str, broken: NodeFacts, message: str
) -> None:
    with pytest.raises(SiteError, match=message) as caught:
        planned((*site(), broken))
    assert caught.value.hint, why
    plan = planned((*site(), broken), without=("web01.lab.test",))
    assert plan.left_out == {"web01.lab.test": "left out on request"}
    assert not [step for step in plan.steps if step.node == "web01.lab.test"]


def test_every_obstacle_is_told_at_once() -> None:
    broken = [node(f"web0{n}.lab.test", reachable=False) for n in (1, 2)]
    with pytest.raises(SiteError, match=r"web01.*web02"):
        planned((*site(), *broken))


def test_puppet_enterprise_is_refused_even_if_left_out() -> None:
    pages = "/pe/latest/trouble_regenerate_certs_split.html"
    fault = Fault("stop", "is Puppet Enterprise", f"see {pages}")
    enterprise = node("pe.lab.test", flavour="pe", faults=(fault,))
    with pytest.raises(PuppetEnterprise, match=r"pe\.lab\.test") as caught:
        planned((*site(), enterprise), without=("pe.lab.test",))
    assert pages in str(caught.value.hint)


def test_a_name_that_is_not_in_the_roster_cannot_be_left_out() -> None:
    with pytest.raises(SiteError, match="nobody: not in the roster"):
        planned(site(), without=("nobody",))


def test_warnings_name_what_needs_a_decision() -> None:
    names = ("DNS:web01.lab.test", "DNS:www.lab.test")
    web = node(
        "web01.lab.test", hostcert=certificate("web01.lab.test", alt_names=names)
    )
    resting = node("rest.lab.test", disabled="maintenance")
    autosign = Fault("warning", "autosign: is on (true)", "turn it off")
    host = ca_host(faults=(autosign,))
    warnings = planned((host, web, resting)).warnings
    assert warnings[0] == "puppet.lab.test: autosign: is on (true)"
    assert "www.lab.test" in warnings[1]
    assert warnings[2].startswith("rest.lab.test: gets a certificate and no run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ca_key_encrypted": True}, "the old CA's key is encrypted, the new CA's key"),
        (
            {"service": ServiceFacts("puppetserver", active=False, enabled=True)},
            "the server does not run; it will be started, and left running",
        ),
    ],
)
def test_what_changes_with_the_new_ca_is_told(
    changes: dict[str, Any], message: str
) -> None:
    assert not planned((ca_host(),)).warnings
    (warning,) = planned((ca_host(server=server(**changes)),)).warnings
    assert warning.startswith(f"puppet.lab.test: {message}")


def with_settings(**changes: str) -> NodeFacts:
    sample = node("web01.lab.test")
    return replace(sample, settings=sample.settings | changes)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (with_settings(ssldir="/var/ssl"), "ssldir /var/ssl: is no SSL directory"),
        (with_settings(ssldir="/a/../b/c"), "ssldir /a/../b/c: is no SSL directory"),
        (with_settings(ssldir="var/lib/ssl"), "ssldir var/lib/ssl: is no SSL dir"),
        (with_settings(ssldir=""), "ssldir unknown: is no SSL directory"),
        (with_settings(hostcert="/x.pem"), "hostcert /x.pem: is no SSL directory"),
        (node("-all"), "certname -all: is an option of Puppet's commands"),
    ],
)
def test_what_cannot_be_worked_on_is_refused_before_anything_stops(
    broken: NodeFacts, message: str
) -> None:
    with pytest.raises(SiteError, match=re.escape(message)) as caught:
        planned((*site(), broken))
    assert caught.value.hint


def test_a_plan_file_is_read_back_as_it_was() -> None:
    plan = planned(site())
    assert parse_plan(dump_plan(plan), "plan.json") == plan


@pytest.mark.parametrize("data", [b"", b"{}", b'{"run": 1}', b"\xff"])
def test_what_is_no_plan_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(JournalError, match=r"plan\.json: not a plan"):
        parse_plan(data, "plan.json")


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("certificate", {"hostcert": certificate("agent1.lab.test", 99)}),
        ("Puppet's version", {"puppet_version": "8.10.0"}),
        ("way the agent is run", {"agent_mode": "cron"}),
        ("can be reached", {"reachable": False}),
    ],
)
def test_a_plan_is_stale_when_the_world_has_moved(
    what: str, changes: dict[str, Any]
) -> None:
    facts = site()
    moved = replace(facts[1], **changes)
    with pytest.raises(PlanStale, match=f"agent1.lab.test: its {what} has changed"):
        require_unmoved(planned(facts), (facts[0], moved, *facts[2:]))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("next serial number", {"next_serial": 99}),
        ("server's service", {"service": ServiceFacts("other", True, True)}),
    ],
)
def test_a_ca_that_was_at_work_makes_a_plan_stale(
    what: str, changes: dict[str, Any]
) -> None:
    facts = site()
    moved = ca_host(server=server(**changes))
    with pytest.raises(PlanStale, match=f"puppet.lab.test: its {what} has changed"):
        require_unmoved(planned(facts), (moved, *facts[1:]))


@pytest.mark.parametrize(
    "name", ["hostcert", "hostprivkey", "localcacert", "hostcrl", "requestdir"]
)
def test_a_file_that_lies_elsewhere_makes_a_plan_stale(name: str) -> None:
    facts = site()
    moved = replace(facts[1], settings=facts[1].settings | {name: "/elsewhere"})
    with pytest.raises(PlanStale, match=f"its setting {name} has changed"):
        require_unmoved(planned(facts), (facts[0], moved, *facts[2:]))


def test_a_drifting_clock_makes_no_plan_stale() -> None:
    facts = site()
    require_unmoved(planned(facts), tuple(replace(f, clock_skew=0.4) for f in facts))


def test_nodes_that_come_or_go_make_a_plan_stale() -> None:
    facts = site()
    with pytest.raises(PlanStale, match="no longer in the roster"):
        require_unmoved(planned(facts), facts[:-1])
    with pytest.raises(PlanStale, match="new in the roster"):
        require_unmoved(planned(facts), (*facts, node("new.lab.test")))
