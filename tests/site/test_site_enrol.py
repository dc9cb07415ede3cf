"""Whom a node's request is held against: the CA's memory, never the node's word."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from site_samples import NOW, ca_host, certificate, node, server

from reseal.site.authority import PuppetCert, PuppetServer, authority_of
from reseal.site.context import Context
from reseal.site.enrol import expected, runs_as_service
from reseal.site.facts import NodeFacts
from reseal.site.plan import Choices, make_plan
from reseal.site.target import Target
from reseal.site.transport import Result
from reseal.x509 import names
from reseal.x509.certexts import subject_alt_name, text_extension
from reseal.x509.certificate import Template, seal, tbs, to_pem
from reseal.x509.keys import LocalSigner, generate

ROLE = "1.3.6.1.4.1.34380.1.1.13"
WEB = "web01.lab.test"
SIGNED = f"/var/backups/reseal/run1/tree/etc/puppet/puppetserver/ca/signed/{WEB}.pem"


@dataclass
class FakeTransport:
    """A node of which only files can be read."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        if args and args[0] in self.files:
            return Result(0, self.files[args[0]], b"")
        return Result(44, b"", b"")

    async def close(self) -> None:
        return None


def old_certificate(role: str) -> bytes:
    signer = LocalSigner(generate("ec:secp256r1"))
    extensions = (subject_alt_name([f"DNS:{WEB}"]), text_extension(ROLE, role))
    template = Template(
        subject=WEB,
        issuer=names.common_name("Puppet CA: puppet.lab.test"),
        issuer_key=signer.public_key,
        serial=7,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        public_key=signer.public_key,
        extensions=extensions,
    )
    return to_pem(seal(tbs(template), signer))


def wish(facts: NodeFacts, kept: dict[str, bytes]) -> Any:
    site = (ca_host(), facts)
    plan = make_plan(site, Choices(), run="run1", now=NOW)

    class Run:
        def __init__(self) -> None:
            self.plan = plan

        async def target(self, name: str) -> Target:
            return Target(plan.node(name), FakeTransport(name, kept), "run1")

    at = Target(facts, FakeTransport(facts.name), "run1")
    return asyncio.run(expected(at, cast(Context, Run()), "AA"))


def test_old_names_and_facts_are_what_the_old_ca_has_kept() -> None:
    found = wish(node(WEB), {SIGNED: old_certificate("web")})
    assert found.extensions == {ROLE: "web"}
    assert found.alt_names == frozenset([f"DNS:{WEB}"])


def test_a_certificate_that_a_node_planted_gives_it_nothing() -> None:
    planted = certificate(
        WEB, alt_names=("DNS:puppet.lab.test",), extensions={ROLE: "db"}
    )
    kept = {SIGNED: old_certificate("web")}
    found = wish(node(WEB, hostcert=planted), kept)
    assert found.extensions == {ROLE: "web"}
    assert "DNS:puppet.lab.test" not in found.alt_names


def test_a_node_that_the_old_ca_did_not_know_gets_its_own_name_only() -> None:
    planted = certificate(WEB, alt_names=("DNS:puppet.lab.test",))
    found = wish(node(WEB, hostcert=planted), {})
    assert (found.extensions, found.alt_names) == ({}, frozenset([f"DNS:{WEB}"]))


@pytest.mark.parametrize(
    ("why", "changes", "service"),
    [
        ("a daemon enrols as it starts", {}, True),
        ("a daemon that splays would wait", {"settings": {"splay": "true"}}, False),
        ("a disabled daemon does nothing", {"disabled": "because"}, False),
        ("a cron agent is run once", {"agent_mode": "cron"}, False),
        ("a stopped agent is run once", {"agent_mode": "stopped"}, False),
    ],
)
def test_which_agents_enrol_as_a_service(
    why: str, changes: dict[str, Any], service: bool
) -> None:
    at = Target(node(WEB, **changes), FakeTransport(WEB), "run1")
    assert runs_as_service(at) is service, why


@pytest.mark.parametrize(
    ("version", "kind", "way"),
    [
        ("7.9.5", "puppetserver", PuppetServer),
        ("8.7.0", "puppetserver", PuppetServer),
        ("5.3.16", "puppetserver", PuppetCert),
        ("5.5.22", "webrick", PuppetCert),
        ("0.1.0", "reseal", PuppetServer),
        ("3.8.7", "rack", PuppetCert),
    ],
)
def test_each_ca_is_asked_in_its_own_way(version: str, kind: str, way: type) -> None:
    host = ca_host(server=server(version=version, kind=kind))
    assert isinstance(authority_of(Target(host, FakeTransport("ca"), "run1")), way)
