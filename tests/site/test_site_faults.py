"""Every rule of the survey: one node that keeps it, one that breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reseal.site.copyfacts import ExtensionFacts
from reseal.site.facts import Fault, NodeFacts, ServerFacts
from reseal.site.material import CertificateFacts, CrlFacts, ServiceFacts
from reseal.site.survey_faults import compare, judge

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MIB = 1024 * 1024


def certificate(subject: str, **changes: Any) -> CertificateFacts:
    fingerprint = f"fingerprint of {subject}"
    facts = CertificateFacts(
        subject=subject,
        issuer="CA",
        serial=1,
        fingerprint=fingerprint,
        key_fingerprint=f"key of {subject}",
        key="rsa:4096",
        not_before=NOW - timedelta(days=1),
        not_after=NOW + timedelta(days=1),
    )
    return replace(facts, **changes)


CA = certificate("CA")
OLD_CRL = CrlFacts("CA", 1, NOW, 0, "x")
SERVER = ServerFacts(
    kind="puppetserver",
    version="7.9.5",
    service=ServiceFacts("puppetserver", True, True),
    is_ca=True,
    cadir="/ca",
    cadir_link=None,
    owner="puppet:puppet",
    shape="single",
    ca=(CA,),
    ca_key="rsa:4096",
    ca_key_encrypted=False,
    autosign="false",
    next_serial=2,
    certificates=1,
    port=8140,
)
AGENT = NodeFacts(
    name="web01",
    certname="web01",
    roles=("agent",),
    reachable=True,
    service_manager="systemd",
    puppet="/usr/bin/puppet",
    ssldir_bytes=MIB,
    disk_free=100 * MIB,
    hostcert=certificate("web01"),
    key_matches=True,
    trusted=(CA,),
    agent=ServiceFacts("puppet", True, True),
    agent_mode="daemon",
)
HOLDER = replace(
    AGENT,
    name="puppet",
    certname="puppet",
    roles=("ca", "server", "agent"),
    hostcert=certificate("puppet"),
    server=SERVER,
)


@pytest.mark.parametrize("node", [AGENT, HOLDER])
def test_nothing_is_wrong_with_a_good_node(node: NodeFacts) -> None:
    assert judge(node, [], NOW).faults == ()


@pytest.mark.parametrize(
    ("node", "changes", "severity", "message"),
    [
        (AGENT, {"flavour": "pe"}, "stop", "is Puppet Enterprise; reseal changes noth"),
        (
            AGENT,
            {"certname": "../x"},
            "fault",
            "certname of puppet.conf: '../x': not a",
        ),
        (HOLDER, {"certname": "a/b"}, "stop", "certname of puppet.conf: 'a/b': not a"),
        (
            AGENT,
            {"certname": "web02"},
            "fault",
            "certname: Puppet says web02, the site",
        ),
        (AGENT, {"service_manager": "none"}, "fault", "service manager: none that is"),
        (
            AGENT,
            {"service_manager": "windows"},
            "fault",
            "service manager: none that is",
        ),
        (AGENT, {"agent": None}, "warning", "puppet: has no service"),
        (AGENT, {"clock_skew": 61.0}, "warning", "clock: is 61 s ahead of ours"),
        (AGENT, {"clock_skew": -90000.0}, "fault", "clock: is 90000 s behind ours"),
        (
            AGENT,
            {"disk_free": 18 * MIB},
            "fault",
            "/var/backups/reseal: has 18.0 MiB fr",
        ),
        (
            HOLDER,
            {"disk_free": 18 * MIB},
            "stop",
            "/var/backups/reseal: has 18.0 MiB fr",
        ),
        (AGENT, {"hostcert": None}, "warning", "hostcert: is missing"),
        (
            AGENT,
            {"hostcert": certificate("web01", not_after=NOW)},
            "warning",
            "hostcert: expired on 2026-06-01",
        ),
        (
            AGENT,
            {"hostcert": certificate("x")},
            "warning",
            "hostcert: is for x, not web",
        ),
        (
            AGENT,
            {"hostcert": certificate("web01", key="rsa:1024")},
            "warning",
            "hostcert: has a weak key, rsa:1024",
        ),
        (
            AGENT,
            {"key_matches": False},
            "warning",
            "private key: does not belong to the",
        ),
        (
            AGENT,
            {"trusted": (certificate("CA", not_after=NOW),)},
            "warning",
            "CA CA: expired on 2026-06-01",
        ),
        (AGENT, {"crls": (OLD_CRL,)}, "warning", "CRL of CA: expired on 2026-06-01"),
        (AGENT, {"disabled": "by Ann"}, "warning", "agent: is disabled: by Ann"),
        (HOLDER, {"server": None}, "stop", "server: none is installed"),
        (
            AGENT,
            {"roles": ("server", "agent")},
            "fault",
            "server: none is installed",
        ),
        (
            AGENT,
            {"server": replace(SERVER, is_ca=False)},
            "warning",
            "server: there is a puppetserver, which the site file does not name",
        ),
        (AGENT, {"server": SERVER}, "fault", "CA: there is one in /ca"),
        (
            HOLDER,
            {"server": replace(SERVER, is_ca=False)},
            "stop",
            "CA: there is none on this node",
        ),
        (
            HOLDER,
            {"server": replace(SERVER, ca=(certificate("CA", key="rsa:1024"),))},
            "warning",
            "CA: has a weak key, rsa:1024",
        ),
        (
            HOLDER,
            {"server": replace(SERVER, autosign="list /a")},
            "warning",
            "autosign: is on (list /a)",
        ),
        (
            HOLDER,
            {"server": replace(SERVER, kind="rack", proxied=True)},
            "warning",
            "server: what runs Puppet behind the web server keeps the old CA",
        ),
    ],
)
def test_a_fault_is_found_with_its_remedy(
    node: NodeFacts, changes: dict[str, Any], severity: str, message: str
) -> None:
    faults = judge(replace(node, **changes), [], NOW).faults
    found = [fault for fault in faults if fault.message.startswith(message)]
    assert [fault.severity for fault in found] == [severity], faults
    assert found[0].remedy


def test_what_runs_puppet_behind_a_web_server_may_be_an_extension() -> None:
    unicorn = ExtensionFacts("unicorn", "Puppet in unicorn", (), ())
    server = replace(SERVER, kind="rack", proxied=True)
    known = replace(HOLDER, server=server, extensions=(unicorn,))
    assert not [f for f in judge(known, [], NOW).faults if "behind" in f.message]


def test_puppet_enterprise_is_sent_to_its_own_pages() -> None:
    (fault,) = judge(replace(AGENT, flavour="pe"), [], NOW).faults
    assert "/pe/latest/trouble_regenerate_certs_split.html" in fault.message
    assert "/pe/latest/trouble_regenerate_certs_monolithic.html" in fault.message


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_skew": 60.0},
        {"disk_free": 19 * MIB},
        {"hostcert": certificate("web01", key="ec:secp256r1")},
        {"hostcert": certificate("web01", key="rsa:2048")},
        {"key_matches": None},
        {"crls": (replace(OLD_CRL, next_update=None),)},
    ],
)
def test_what_is_no_fault(changes: dict[str, Any]) -> None:
    assert judge(replace(AGENT, **changes), [], NOW).faults == ()


def test_the_worst_comes_first_and_nothing_twice() -> None:
    met = [Fault("warning", "w", "r"), Fault("stop", "s", "r"), Fault("stop", "s", "r")]
    faults = judge(replace(AGENT, certname="web02"), met, NOW).faults
    severities = [fault.severity for fault in faults]
    assert severities == ["stop", "fault", "warning", "warning"]


def test_a_node_that_trusts_another_ca() -> None:
    stranger = replace(AGENT, trusted=(certificate("CA", fingerprint="another"),))
    holder, same, other = compare([HOLDER, replace(AGENT, certname="a"), stranger])
    assert (holder.faults, same.faults) == ((), ())
    assert [fault.message for fault in other.faults] == [
        "trusts another CA than the site's"
    ]


def test_two_nodes_of_one_certname() -> None:
    first, second, third = compare(
        [AGENT, replace(AGENT, name="b"), replace(AGENT, name="c", reachable=False)]
    )
    assert [fault.message for fault in first.faults] == ["certname web01: also of b, c"]
    assert [fault.severity for fault in second.faults] == ["fault"]
    assert third.faults == ()
