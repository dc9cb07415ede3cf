"""Look at every node of a site: facts, and nothing changed.

Guarantee: a survey writes nothing on any node and starts or stops nothing.  A node
that cannot be looked at is part of the result, with the reason as its fault.

Sources: `node/survey_agent.sh`, `node/survey_server.sh` (what is looked at).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import ResealError
from reseal.extensions.protocol import Extension
from reseal.site.facts import NodeFacts
from reseal.site.fleet import Fleet
from reseal.site.question import listen
from reseal.site.roster import Node, Roster
from reseal.site.survey_doors import closed_doors
from reseal.site.survey_extensions import extension_facts, functions_for, wanted
from reseal.site.survey_faults import compare, judge, unreachable
from reseal.site.survey_parse import node_facts
from reseal.site.survey_script import Sections, look, printable
from reseal.site.survey_server import server_facts, size
from reseal.site.transport import Transport

Progress = Callable[[NodeFacts], None]
"""Is told of each node as soon as it has been looked at."""

_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)
"""What reading nonsense raises; one node's must not end the survey of a site."""


async def survey(
    fleet: Fleet,
    roster: Roster,
    clock: Clock,
    on_progress: Progress = lambda facts: None,
) -> tuple[NodeFacts, ...]:
    """Return the facts of every node, in the roster's order.

    Args:
        fleet: The ways to the nodes.
        roster: The nodes.
        clock: Our time, which the nodes' clocks are compared with.
        on_progress: Is told of each node when it is done.
    """

    async def one(node: Node, transport: Transport) -> NodeFacts:
        facts = await survey_node(transport, node, clock, roster.extensions)
        on_progress(facts)
        return facts

    facts = compare(await fleet.each(roster.nodes, one))
    ways = {node.name: node for node in roster.nodes}
    return await listen(facts, lambda name: fleet.connect(ways[Certname(name)]))


async def survey_node(
    transport: Transport,
    node: Node,
    clock: Clock,
    extensions: tuple[Extension, ...] = (),
) -> NodeFacts:
    """Return the facts of one node; it never raises for what is wrong there.

    Args:
        transport: The way to it.
        node: The node.
        clock: Our time.
        extensions: The site's own services that keep copies.
    """
    nothing = NodeFacts(
        name=node.name, certname=node.name, roles=node.roles, reachable=False
    )
    try:
        return await _survey(transport, node, clock, wanted(extensions, node.name))
    except ResealError as error:
        return unreachable(nothing, str(error), error.hint)
    except _UNREADABLE as error:
        message = f"answers what cannot be read: {type(error).__name__}: {error}"
        return unreachable(nothing, printable(message), None)


async def _survey(
    transport: Transport,
    node: Node,
    clock: Clock,
    extensions: tuple[Extension, ...],
) -> NodeFacts:
    more = functions_for(extensions)
    if "server" in node.roles:
        looks = look(transport, "agent", more=more), look(transport, "server")
        agent, server = await asyncio.gather(*looks)
    else:
        agent, server = await look(transport, "agent", more=more), None
    facts, faults = node_facts(node, agent, clock)
    if server is None and agent.rows("servers") and facts.puppet:
        server = await look(transport, "server")
    if server is not None:
        served, more_faults = server_facts(facts, server)
        faults += more_faults
        facts = replace(facts, server=served, ssldir_bytes=_bytes(facts, server))
    found, more_faults = await extension_facts(facts, transport, agent, extensions)
    faults += more_faults
    facts = replace(facts, extensions=found)
    faults += await closed_doors(facts, transport)
    return judge(facts, faults, clock.now())


def _bytes(facts: NodeFacts, server: Sections) -> int:
    """Return the size of ssldir and cadir, which may be one inside the other."""
    cadir, ssldir = server.text("cadir"), facts.settings.get("ssldir", "")
    inside = cadir == ssldir or cadir.startswith(f"{ssldir}/")
    return facts.ssldir_bytes + (0 if inside else size(server))
