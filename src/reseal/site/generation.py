"""The CA that is to be: its shape, its names, its first serial number.

Guarantee: two generations of a CA never share a subject or a serial number, so
that neither OpenSSL nor Java can take one for the other.

Sources: docs/explanation/generations.md; Puppet's settings `keylength`, `ca_ttl`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reseal.errors import SiteError
from reseal.site.facts import NodeFacts, ServerFacts

MIN_TTL = timedelta(days=5 * 365)


@dataclass(frozen=True, slots=True)
class Generation:
    """The CA that is to be.

    Attributes:
        shape: One self-signed CA, or a root and a signing CA below it.
        ruby: The layout of Puppet 3 to 5.
        ca_name: Common name of the signing CA; no other generation has it.
        root_name: Common name of the root of a chain.
        key_bits: Size of the RSA keys.
        first_serial: The serial number after the old CA's last one.
        ttl: Lifetime of the CA and of the server's certificate.
    """

    shape: Literal["single", "chain"]
    ruby: bool
    ca_name: str
    root_name: str | None
    key_bits: int
    first_serial: int
    ttl: timedelta


def ca_host(facts: Iterable[NodeFacts]) -> NodeFacts:
    """Return the facts of the node that holds the CA.

    Raises:
        SiteError: No node does.
    """
    for node in facts:
        if "ca" in node.roles:
            return node
    raise SiteError("site: no node has the role ca", hint="name it in the site file")


def next_generation(facts: Sequence[NodeFacts], now: datetime) -> Generation:
    """Decide what the new CA looks like.

    The shape of the old CA is kept, except where an agent older than Puppet 6 must
    be served: it keeps one CA certificate only, so that the CA must be single.
    """
    host = ca_host(facts)
    server = server_of(host)
    old_agents = any(0 < major(node.puppet_version) < 6 for node in facts)
    ruby = _has_rubys_layout(server)
    shape = "single" if old_agents or ruby else server.shape or "chain"
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    old = server.ca[0] if server.ca else None
    lived = old.not_after - old.not_before if old else MIN_TTL
    return Generation(
        shape=shape,
        ruby=ruby,
        ca_name=f"Puppet CA: {host.certname} {stamp}",
        root_name=f"Puppet Root CA: {stamp}" if shape == "chain" else None,
        key_bits=max(2048, int(host.settings.get("keylength") or 4096)),
        first_serial=server.next_serial or 1,
        ttl=max(lived, MIN_TTL),
    )


def server_of(node: NodeFacts) -> ServerFacts:
    """Return the facts of a node's server.

    Raises:
        SiteError: No server was found there.
    """
    if node.server is None:
        hint = "install the server there, or correct the roles in the site file"
        raise SiteError(f"{node.name}: no Puppet server was found", hint=hint)
    return node.server


def _has_rubys_layout(server: ServerFacts) -> bool:
    """Tell whether the CA is one of Puppet 3 to 5, or of Puppet Server 2 to 5."""
    if server.kind == "reseal":
        return server.shape == "single" and not server.infra
    number = major(server.version)
    return number < 6 and (number > 0 or server.kind != "puppetserver")


def major(version: str) -> int:
    """Return the first number of a version; 0 when there is none."""
    head = version.split(".")[0]
    return int(head) if head.isdigit() else 0
