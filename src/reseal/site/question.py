"""A question across nodes: who is heard by those who work with a service.

`mco ping` is one: a service is whole when every node answers it.

Guarantee: it is asked on one node only, whatever number of nodes could; what is heard
is what the command printed, and whoever was not heard before need not be after.

Sources: MCollective, `mco ping`; docs/reference/extensions.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from reseal.errors import ResealError
from reseal.extensions.protocol import QuestionRule
from reseal.site.check import Check
from reseal.site.facts import Fault, NodeFacts
from reseal.site.transport import Transport

_LIMIT = 60
"""Seconds for one question: some commands never end where TLS fails."""

_TRIES = 4
"""How often is asked until everybody has come back from a start, and how long that
takes at most: MCollective's pause between two tries is up to 30 s."""

_PAUSE = 10.0

_ASK = r"""
limit=$1
shift
PATH=$PATH:/opt/puppetlabs/bin:/usr/local/bin
export PATH LC_ALL=C
exec timeout "$limit" "$@" </dev/null 2>/dev/null
"""


_ASKERS = 3
"""How many nodes are tried until one hears anybody."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and where it is asked.

    Attributes:
        node: The node.
        name: Of the extension.
        rule: The question.
        wanted: The names of nodes that can be heard, by their identities.
    """

    node: NodeFacts
    name: str
    rule: QuestionRule
    wanted: dict[str, str]


def questions(nodes: Sequence[NodeFacts]) -> dict[str, list[Asked]]:
    """Return who could ask each extension's question, the CA's host first."""
    found: dict[str, list[Asked]] = {}
    for node in sorted(nodes, key=lambda node: "ca" not in node.roles):
        for each in node.extensions if node.reachable else ():
            if each.question is not None:
                wanted = _identities(nodes, each.question)
                asked = Asked(node, each.name, each.question, wanted)
                found.setdefault(each.name, []).append(asked)
    return found


def _identities(nodes: Sequence[NodeFacts], rule: QuestionRule) -> dict[str, str]:
    return {
        each.identity or node.certname: node.name
        for node in nodes
        for each in node.extensions
        if each.name == rule.hears and any(s.active for s in each.services)
    }


async def listen(
    nodes: Sequence[NodeFacts], connect: Callable[[str], Awaitable[Transport]]
) -> tuple[NodeFacts, ...]:
    """Ask every question once; facts with who was heard, and warnings of who was not.

    Args:
        nodes: Every node of the site.
        connect: Opens the way to a node.
    """
    told = tuple(nodes)
    for askers in questions(nodes).values():
        for asked in askers[:_ASKERS]:
            try:
                heard = await ask(asked, await connect(asked.node.name))
            except ResealError:
                heard = None
            if heard or (heard is not None and not asked.rule.hears):
                told = tuple(_told(node, asked, heard) for node in told)
                break
        else:
            told = tuple(_unanswered(node, askers[0]) for node in told)
    return told


async def ask(asked: Asked, transport: Transport) -> frozenset[str] | None:
    """Return the names of nodes that were heard; None if the command failed.

    Raises:
        TransportError: The node cannot be reached.
    """
    words = str(_LIMIT), *asked.rule.command
    result = await transport.run(_ASK, *words, timeout=_LIMIT + 30)
    if result.exit != 0:
        return None
    said = {*result.stdout.decode(errors="replace").split()}
    return frozenset(name for word, name in asked.wanted.items() if word in said)


def _told(node: NodeFacts, asked: Asked, heard: frozenset[str]) -> NodeFacts:
    """Return a node's facts with whether it was heard, or is who asked."""
    asks = {asked.name: True} if node.name == asked.node.name else {}
    can = node.name in asked.wanted.values()
    answers = {asked.rule.hears: node.name in heard} if can else {}
    known = asks | answers
    extensions = tuple(
        replace(each, heard=known.get(each.name, each.heard))
        for each in node.extensions
    )
    faults = node.faults
    if False in answers.values():
        by = f"{' '.join(asked.rule.command)} on {asked.node.name}"
        message = f"{asked.rule.hears}: is not heard by {by}"
        faults += (Fault("warning", message, "nor need it be after a run"),)
    return replace(node, extensions=extensions, faults=faults)


def _unanswered(node: NodeFacts, asked: Asked) -> NodeFacts:
    if node.name != asked.node.name:
        return node
    message = f"{' '.join(asked.rule.command)}: hears nobody"
    fault = Fault("warning", message, "nor will it be part of a run's proof")
    return replace(node, faults=(*node.faults, fault))


async def hear_again(
    nodes: Sequence[NodeFacts], connect: Callable[[str], Awaitable[Transport]]
) -> list[Check]:
    """Prove that everybody is heard who was heard before the run."""
    checks: list[Check] = []
    for name, askers in questions(nodes).items():
        for asked in askers:
            own = next(each for each in asked.node.extensions if each.name == name)
            if own.heard:
                checks += await _again(asked, nodes, connect)
    return checks


async def _again(
    asked: Asked,
    nodes: Sequence[NodeFacts],
    connect: Callable[[str], Awaitable[Transport]],
) -> list[Check]:
    wanted = {
        node.name
        for node in nodes
        for each in node.extensions
        if each.name == asked.rule.hears and each.heard
    }
    heard: frozenset[str] | None = None
    try:
        for attempt in range(_TRIES):
            await asyncio.sleep(_PAUSE if attempt else 0)
            heard = await ask(asked, await connect(asked.node.name))
            if heard is not None and heard >= wanted:
                break
    except ResealError as error:
        return [Check(asked.node.name, asked.rule.command[0], False, str(error))]
    by = f"{' '.join(asked.rule.command)} on {asked.node.name}"
    if heard is None or not wanted:
        note = f"{by}: {'fails' if heard is None else 'works'}"
        return [Check(asked.node.name, asked.name, heard is not None, note)]
    label = f"{asked.rule.hears}, heard"
    return [
        Check(node, label, node in heard, f"{'' if node in heard else 'not '}by {by}")
        for node in sorted(wanted)
    ]
