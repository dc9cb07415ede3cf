"""The proof of a whole run: every node of it, and what goes across nodes."""

from __future__ import annotations

from collections.abc import Callable

from reseal.errors import JournalError, ResealError
from reseal.site.check import Check
from reseal.site.context import Context
from reseal.site.extension_proof import prove_extensions
from reseal.site.pair_proof import prove_pairs
from reseal.site.question import hear_again
from reseal.site.rundir import BUNDLE, CRLS
from reseal.site.target import UNREADABLE
from reseal.site.transport import Transport
from reseal.site.verify import Standard, standard_for, verify_node


def can_be_proven(run: Context) -> bool:
    """Tell whether a run has come so far that there is something to prove."""
    return run.plan.goal == "renew" or run.directory.kept(BUNDLE) is not None


async def prove(
    run: Context, names: tuple[str, ...], checked: Callable[[list[Check]], None]
) -> list[Check]:
    """Prove nodes of a run against its new CA, or copies against what nodes have.

    Raises:
        JournalError: There is no new CA yet.
    """
    standard = _standard(run) if run.plan.goal == "regenerate" else None
    found: list[Check] = []

    async def one(name: str) -> None:
        checks = await _proof(run, name, standard)
        checked(checks)
        found.extend(checks)

    nodes = [node for node in run.roster.nodes if node.name in names]
    await run.fleet.each(nodes, lambda node, _: one(node.name))
    checked(heard := await _heard(run, names))
    found.extend(heard)
    return sorted(found, key=lambda each: names.index(each.node))


def _standard(run: Context) -> Standard:
    bundle, crls = run.directory.kept(BUNDLE), run.directory.kept(CRLS)
    if bundle is None or crls is None:
        raise JournalError(f"{run.plan.run}: has no new CA yet")
    old = frozenset(
        ca.key_fingerprint
        for node in run.plan.facts
        for ca in (*node.trusted, *(node.server.ca if node.server else ()))
    )
    return standard_for(run.plan.ca, bundle, crls, old, run.clock.now())


async def _heard(run: Context, names: tuple[str, ...]) -> list[Check]:
    """Ask the questions that go across nodes; of nodes that are done."""

    async def connect(name: str) -> Transport:
        return (await run.target(name)).transport

    facts = [node for node in run.plan.facts if node.name in names]
    return await hear_again(facts, connect)


async def _proof(run: Context, name: str, standard: Standard | None) -> list[Check]:
    """Prove one node; whatever is wrong with it is a failed check of its own."""
    try:
        at = await run.target(name)
        if standard is None:
            return await prove_extensions(at)
        return [*await verify_node(at, standard), *await prove_pairs(at, run)]
    except ResealError as error:
        return [Check(name, "reachable", False, str(error))]
    except UNREADABLE:
        note = f"{name}: answers what cannot be read"
        return [Check(name, "readable", False, note)]
