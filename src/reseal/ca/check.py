"""Is the CA in order?  Find what is not, and repair what is provable.

Guarantee: a check changes nothing.  A repair does only what the CA's own files
prove to be right, can be repeated, and tells what it could not do.

Sources: in each row of `findings.RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reseal.audit import audit
from reseal.ca.findings import RULES
from reseal.ca.world import World
from reseal.clock import Clock
from reseal.errors import ResealError
from reseal.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the CA that is not in order.

    Attributes:
        rule: Name of the rule.
        citation: Where the rule is written.
        message: What is wrong, the object first.
        warning: It is not wrong yet.
        remedy: Does what is provable; None if nothing is.
    """

    rule: str
    citation: str
    message: str
    warning: bool = False
    remedy: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    @property
    def repairable(self) -> bool:
        """A repair would settle it."""
        return self.remedy is not None


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did.

    Attributes:
        done: Findings that were settled.
        failed: Messages of repairs that could not be carried out.
        left: What is still not in order.
    """

    done: tuple[Finding, ...]
    failed: tuple[str, ...]
    left: tuple[Finding, ...]


def check(cadir: Path, store: Store, clock: Clock) -> tuple[Finding, ...]:
    """Return everything that is not in order, in the order of the rules."""
    world = World(cadir, store, clock)
    found = [
        Finding(rule.name, rule.citation, fault.message, fault.warning, fault.remedy)
        for rule in RULES
        for fault in rule.find(world)
    ]
    unread = dict.fromkeys(world.complaints)
    cannot = [Finding("readable", "Puppet's settings", text) for text in unread]
    return (*cannot, *found)


def repair(cadir: Path, store: Store, clock: Clock) -> Repair:
    """Settle what is provable, then look again.

    No server may be running on the cadir.
    """
    done, failed = [], []
    for finding in check(cadir, store, clock):
        if finding.remedy is None:
            continue
        try:
            finding.remedy()
        except ResealError as error:
            failed.append(f"{finding.message}: {error}")
        else:
            audit("ca.repaired", rule=finding.rule, message=finding.message)
            done.append(finding)
    return Repair(tuple(done), tuple(failed), check(cadir, store, clock))
