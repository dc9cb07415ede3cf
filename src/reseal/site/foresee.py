"""What an operator should know before a run begins.

Guarantee: a warning changes nothing and stops nothing; what must stop a run is a
fault of the survey or a refusal of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reseal.site.facts import NodeFacts
from reseal.site.pairs import left_alone


def warnings_of(
    facts: Sequence[NodeFacts], shape: str, allow: Iterable[str]
) -> tuple[str, ...]:
    """Return every warning about a regeneration, the CA's host first."""
    allowed = set(allow)
    found: list[str] = []
    for node in sorted(facts, key=lambda node: "ca" not in node.roles):
        found.extend(f"{node.name}: {fault.message}" for fault in node.faults)
        found.extend(_of_server(node, shape))
        if "ca" not in node.roles and node.name not in allowed:
            found.extend(_of_names(node))
        found.extend(_of_agent(node))
    return tuple(dict.fromkeys(found))


def _of_server(node: NodeFacts, shape: str) -> Iterator[str]:
    server = node.server
    if server is None or not server.is_ca:
        return
    if server.shape == "chain" and shape == "single":
        yield (
            f"{node.name}: the new CA will be a single self-signed one, because "
            "agents older than Puppet 6 keep one CA certificate only"
        )
    if server.ca_key_encrypted:
        yield (
            f"{node.name}: the old CA's key is encrypted, the new CA's key is not; "
            "encrypt it after the run, as the old one was"
        )
    if server.service is not None and not server.service.active:
        yield (
            f"{node.name}: the server does not run; it will be started, and left "
            "running"
        )
    if server.service is None:
        yield f"{node.name}: no service of the server was found; it stays as it is"


def _of_names(node: NodeFacts) -> Iterator[str]:
    """Tell of names that the CA grants only when it is told to."""
    if node.hostcert is None:
        yield f"{node.name}: has no certificate today; it will get one"
        return
    extra = foreign_names(node)
    if extra:
        yield (
            f"{node.name}: its certificate has other names ({', '.join(extra)}): "
            "the CA must allow them (allow-subject-alt-names in ca.conf)"
        )


def foreign_names(node: NodeFacts) -> tuple[str, ...]:
    """Return the alternative names of a node's certificate besides its own."""
    names = node.hostcert.alt_names if node.hostcert else ()
    return tuple(name for name in names if name != f"DNS:{node.certname}")


def unrenewed(
    facts: Sequence[NodeFacts], everybody: Sequence[NodeFacts]
) -> Iterator[str]:
    """Tell of certificates and public keys whose private half is on no node.

    Args:
        facts: The nodes that take part.
        everybody: All nodes of the site; what is the key of one of them is not told.
    """
    own = {each.hostcert.key_fingerprint for each in everybody if each.hostcert}
    where: dict[str, list[str]] = {}
    for each in (found for found in left_alone(facts) if found.copy.key not in own):
        where.setdefault(each.copy.pair, []).append(f"{each.node.name}")
    for pair, names in where.items():
        yield (
            f"{pair}: its private key is on no node: its certificate on "
            f"{', '.join(dict.fromkeys(names))} is not renewed; do that by hand"
        )


def _of_agent(node: NodeFacts) -> Iterator[str]:
    if node.disabled is not None:
        yield f"{node.name}: gets a certificate and no run, for its agent is disabled"
