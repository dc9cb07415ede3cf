"""Which acts a regeneration consists of, and their order.

Guarantee: the CA's host comes first and alone, and after it, one at a time, nodes
whose services all others need; compilers go one at a time, before the agents that have
their catalogs from them; then one node of each platform and version goes before all
others of its kind.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment",
steps 1 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reseal.site.facts import NodeFacts
from reseal.site.generation import ca_host
from reseal.site.pairs import Pair

HELD = 50
"""Requests that may wait at a server at once."""

PAIRS = "shared keys"
"""How the phases are called in which keys that several nodes share are made."""

Action = Literal[
    "agent.backup",
    "agent.stop",
    "agent.clear",
    "agent.enrol",
    "agent.settle",
    "agent.run",
    "ca.prepare",
    "ca.install",
    "server.stop",
    "server.start",
    "extension.copy",
    "extension.start",
    "copies.backup",
    "pair.make",
    "pair.copy",
    "requests.hold",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One act on one node.

    Attributes:
        id: `NODE/ACTION`, unique in a plan.
        phase: The step's phase; phases follow each other, a phase's nodes are
            worked on at once, a node's steps one after the other.
        node: Certname.
        action: What is done.
        title: The same in words.
        stops: What does not work meanwhile; empty when nothing stops.
        seconds: How long it usually takes.
    """

    id: str
    phase: str
    node: str
    action: Action
    title: str
    stops: str
    seconds: int


def steps_of(
    facts: Sequence[NodeFacts], batch: int, pairs: Sequence[Pair] = ()
) -> Iterator[Step]:
    """Yield every step of a regeneration, in order.

    Args:
        facts: The nodes that take part, the CA's host among them.
        batch: How many nodes make a batch.
        pairs: Keys that several nodes share.
    """
    host = ca_host(facts)
    holders = {name for pair in pairs for name in (*pair.holders, pair.owner)}
    having = [node for node in facts if node.name in holders]
    yield from _in_batches(having, batch, PAIRS, ("pair.make",))
    agents = [node for node in facts if node is not host]
    hold: tuple[Action, ...] = ("requests.hold",) if _holds(host, agents, batch) else ()
    yield from _node_steps(host, "ca", (*_with_front(host, _CA), *hold))
    yield from _node_steps(host, _services(host), _later(host))
    yield from _agents(agents, batch)
    yield from _node_steps(host, "server's run", ("agent.run",))
    have = {name for pair in pairs for name in (*pair.holders, *pair.readers)}
    sharing = [node for node in facts if node.name in have]
    yield from _in_batches(sharing, batch, f"new {PAIRS}", ("pair.copy",))


def renewal_steps(facts: Sequence[NodeFacts], batch: int) -> Iterator[Step]:
    """Yield the steps that renew copies, and nothing of Puppet's, in order.

    Args:
        facts: The nodes that have extensions.
        batch: How many nodes make a batch.
    """
    actions: tuple[Action, ...] = ("copies.backup", *_COPIES)
    needed = [node for node in facts if any(each.first for each in node.extensions)]
    for node in needed:
        yield from _node_steps(node, _services(node), actions)
    rest = [node for node in facts if node not in needed]
    yield from _in_batches(rest, batch, "batch", actions)


def _agents(agents: Sequence[NodeFacts], batch: int) -> Iterator[Step]:
    """Yield the steps of every node but the CA's host.

    Compilers need services such as PuppetDB's; the agents of these services may need
    a compiler for their runs, which then come after the compilers.
    """
    needed = [node for node in agents if any(each.first for each in node.extensions)]
    others = [node for node in agents if node not in needed]
    compilers = [node for node in others if node.server is not None]
    plain = [node for node in others if node.server is None]
    later: tuple[Action, ...] = ("agent.run",) if compilers else ()
    for node in needed:
        actions = (each for each in _actions(node) if each not in later)
        yield from _node_steps(node, _services(node), actions)
    for number, node in enumerate(compilers, 1):
        yield from _node_steps(node, f"compiler {number}", _actions(node))
    for node in needed if later else ():
        yield from _node_steps(node, "services' runs", later)
    canaries = _canaries(plain)
    rest = [node for node in plain if node not in canaries]
    for node in canaries:
        yield from _node_steps(node, "canary", _actions(node))
    yield from _in_batches(rest, batch, "batch", ())


def _in_batches(
    nodes: Sequence[NodeFacts], batch: int, phase: str, actions: tuple[Action, ...]
) -> Iterator[Step]:
    """Yield nodes' actions, or all that is done to each, some nodes at once."""
    for start in range(0, len(nodes), batch):
        name = f"{phase} {start // batch + 1}"
        for node in nodes[start : start + batch]:
            yield from _node_steps(node, name, actions or _actions(node))


def _services(node: NodeFacts) -> str:
    """Return the name of the phase of a node with services that keep copies."""
    return f"{', '.join(each.title for each in node.extensions)} on {node.name}"


def _actions(node: NodeFacts) -> tuple[Action, ...]:
    """Return what is done to a node: its copies before its agent's run is seen."""
    if node.server is None:
        return _before("agent.run", _AGENT, _later(node))
    return _before("agent.run", _with_front(node, _COMPILER), _later(node))


def _with_front(node: NodeFacts, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Return what is done to a server, with the copies that its start needs."""
    needed = _COPIES[:1] if _server(node) & _started(node) else ()
    return _before("server.start", actions, needed)


def _later(node: NodeFacts) -> tuple[Action, ...]:
    """Return what is done to a node's services after its server has started.

    A web server before a Rack master is that server: its copies are there by then.
    """
    front = _server(node) & _started(node)
    if front:
        return _COPIES[1:] if _started(node) - front else ()
    return _COPIES if node.extensions else ()


def _server(node: NodeFacts) -> set[str]:
    service = node.server.service if node.server else None
    return {service.name} if service else set()


def _started(node: NodeFacts) -> set[str]:
    return {one.name for each in node.extensions for one in each.services}


def _before(
    action: Action, actions: tuple[Action, ...], more: tuple[Action, ...]
) -> tuple[Action, ...]:
    position = actions.index(action)
    return (*actions[:position], *more, *actions[position:])


def _holds(host: NodeFacts, agents: Sequence[NodeFacts], batch: int) -> bool:
    """Tell whether requests can wait at the server until they are signed.

    One that waits has a thread of Puppet Server's, which has 200 unless told.
    """
    server = host.server
    able = server is not None and server.kind == "puppetserver" and server.policy != ""
    return able and bool(agents) and batch <= HELD


def _canaries(facts: Iterable[NodeFacts]) -> list[NodeFacts]:
    """Return one node of each platform and version, the first of its kind."""
    kinds: dict[tuple[str, str], NodeFacts] = {}
    for node in facts:
        kinds.setdefault((node.platform, node.puppet_version), node)
    return list(kinds.values())


_CA: tuple[Action, ...] = (
    "agent.backup",
    "ca.prepare",
    "agent.stop",
    "server.stop",
    "ca.install",
    "server.start",
    "agent.settle",
)
_AGENT: tuple[Action, ...] = (
    "agent.backup",
    "agent.stop",
    "agent.clear",
    "agent.enrol",
    "agent.settle",
    "agent.run",
)
_COMPILER: tuple[Action, ...] = (
    "agent.backup",
    "agent.stop",
    "server.stop",
    "agent.clear",
    "agent.enrol",
    "server.start",
    "agent.settle",
    "agent.run",
)

_COPIES: tuple[Action, ...] = ("extension.copy", "extension.start")

_TOLD: dict[Action, tuple[str, str, int]] = {
    "agent.backup": ("back up the SSL directories, prove the copy", "", 2),
    "agent.stop": ("stop the agent", "the agent", 2),
    "agent.clear": ("clear the SSL directory", "the agent", 1),
    "agent.enrol": ("new key, request, match, sign, fetch", "the agent", 15),
    "agent.settle": ("leave the agent as it was found", "", 1),
    "agent.run": ("wait for a run with the new certificate", "", 20),
    "ca.prepare": ("make the new CA's keys and certificates aside", "", 10),
    "ca.install": ("set the old CA aside, put the new one in place", "the site", 1),
    "server.stop": ("stop the server", "the site", 3),
    "extension.copy": ("renew the copies of its services", "", 1),
    "extension.start": ("start these services anew, be answered", "the services", 40),
    "copies.backup": ("back up the copies, prove the backup", "", 1),
    "pair.make": ("see who has shared keys, make them anew", "", 5),
    "pair.copy": ("carry the new shared keys, start what reads them", "", 2),
    "server.start": ("start the server, wait until it answers", "the site", 40),
    "requests.hold": (
        *("until the run's end: requests wait for their signature (autosign)", ""),
        1,
    ),
}


def _node_steps(
    node: NodeFacts, phase: str, actions: Iterable[Action]
) -> Iterator[Step]:
    for action in actions:
        title, stops, seconds = _TOLD[action]
        name = f"{node.name}/{action}"
        yield Step(name, phase, node.name, action, title, stops, seconds)
