"""Facts of a small site, for tests that need no real one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reseal.site.facts import NodeFacts, Role, ServerFacts
from reseal.site.material import CertificateFacts, ServiceFacts

NOW = datetime(2026, 11, 23, 21, 4, 5, tzinfo=UTC)
OLD_CA = "AA:" * 31 + "01"


def certificate(name: str, serial: int = 7, **changes: Any) -> CertificateFacts:
    """Return the facts of a certificate that ends in four years."""
    sample = CertificateFacts(
        subject=name,
        issuer="Puppet CA: puppet.lab.test",
        serial=serial,
        fingerprint=f"{serial:02X}" * 32,
        key_fingerprint=f"{serial + 1:02X}" * 32,
        key="rsa:4096",
        not_before=NOW - timedelta(days=365),
        not_after=NOW + timedelta(days=4 * 365),
        alt_names=(f"DNS:{name}",),
    )
    return replace(sample, **changes)


def server(**changes: Any) -> ServerFacts:
    """Return the facts of a Puppet Server 7 with a chain."""
    ca = certificate("Puppet CA: puppet.lab.test", 2, fingerprint=OLD_CA)
    sample = ServerFacts(
        kind="puppetserver",
        version="7.9.5",
        service=ServiceFacts("puppetserver", active=True, enabled=True),
        is_ca=True,
        cadir="/etc/puppet/puppetserver/ca",
        cadir_link="/var/lib/puppet/ssl/ca",
        owner="puppet:puppet",
        shape="chain",
        ca=(ca,),
        ca_key="rsa:4096",
        ca_key_encrypted=False,
        autosign="false",
        next_serial=10,
        certificates=3,
        port=8140,
    )
    return replace(sample, **changes)


def node(name: str, roles: tuple[Role, ...] = ("agent",), **changes: Any) -> NodeFacts:
    """Return the facts of a healthy agent of Puppet 7 on Debian."""
    ssl = "/var/lib/puppet/ssl"
    sample = NodeFacts(
        name=name,
        certname=name,
        roles=roles,
        reachable=True,
        platform="linux debian 12 x86_64",
        service_manager="systemd",
        puppet="/usr/bin/puppet",
        puppet_version="7.23.0",
        ruby="/usr/bin/ruby",
        settings={
            "ssldir": ssl,
            "hostcert": f"{ssl}/certs/{name}.pem",
            "hostprivkey": f"{ssl}/private_keys/{name}.pem",
            "localcacert": f"{ssl}/certs/ca.pem",
            "hostcrl": f"{ssl}/crl.pem",
            "requestdir": f"{ssl}/certificate_requests",
        },
        owner="puppet:puppet",
        ssldir_bytes=50_000,
        disk_free=10**9,
        hostcert=certificate(name),
        key_matches=True,
        agent=ServiceFacts("puppet", active=True, enabled=True),
        agent_mode="daemon",
    )
    return replace(sample, **changes)


def ca_host(**changes: Any) -> NodeFacts:
    """Return the facts of the CA's host, a Puppet Server 7."""
    roles: tuple[Role, ...] = ("ca", "server", "agent")
    sample = node("puppet.lab.test", roles, server=server())
    return replace(sample, **changes)


def site(agents: int = 3) -> tuple[NodeFacts, ...]:
    """Return a site of a server and its agents."""
    return (ca_host(), *(node(f"agent{n}.lab.test") for n in range(1, agents + 1)))
