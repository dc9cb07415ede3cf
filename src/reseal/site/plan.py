"""A plan: what will be done to which node, in which order, as data.

Guarantee: a plan comes out of facts and a goal alone; nothing here looks at the
world or changes it.  The same facts give the same plan, and what stands in the way
is refused here, before anything is touched.

Sources: Puppet, "SSL: Regenerating All Certificates in a Puppet Deployment".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from reseal.errors import PuppetEnterprise, SiteError
from reseal.site.copies import obstacles
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.facts import Fault, NodeFacts
from reseal.site.foresee import unrenewed, warnings_of
from reseal.site.generation import Generation, ca_host, next_generation
from reseal.site.pairs import Pair, pair_obstacles, pairs_of
from reseal.site.sequence import Step, renewal_steps, steps_of

_DEPTH = 3
"""Names in the path of an SSL directory; what lies higher belongs to the system."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator decides about a run.

    Attributes:
        batch: How many nodes are worked on at once.
        without: Certnames to leave out.
        allow: Certnames whose request may differ from their old certificate.
        skip: Extensions whose copies are left as they are.
        only: Extensions whose copies are renewed, and nothing else; empty: everything.
    """

    batch: int = 50
    without: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A goal, the facts it was planned for, and the steps to it.

    Attributes:
        run: The run's name; also the name of its directories everywhere.
        goal: What the steps lead to: a new CA and new certificates, or new copies of
            the certificates that are.
        created: Aware, UTC.
        choices: What the operator decided.
        generation: The CA that is to be; None where the one that is stays.
        facts: Every node as surveyed.
        left_out: Certnames without steps, each with the reason.
        warnings: What the operator should know first.
        steps: In order.
        pairs: Keys that several nodes share, which are made anew.
    """

    run: str
    goal: Literal["regenerate", "renew"]
    created: datetime
    choices: Choices
    generation: Generation | None
    facts: tuple[NodeFacts, ...]
    left_out: dict[str, str]
    warnings: tuple[str, ...]
    steps: tuple[Step, ...] = field(default=())
    pairs: tuple[Pair, ...] = ()

    @property
    def new_ca(self) -> Generation:
        """The CA that is to be.

        Raises:
            SiteError: The one that is stays.
        """
        if self.generation is None:
            raise SiteError(f"{self.run}: makes no new CA")
        return self.generation

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of the phases, in order."""
        return tuple(dict.fromkeys(step.phase for step in self.steps))

    @property
    def ca(self) -> NodeFacts:
        """The facts of the CA's host."""
        return ca_host(self.facts)

    def node(self, name: str) -> NodeFacts:
        """Return the facts of a node of the plan."""
        return next(facts for facts in self.facts if facts.name == name)

    def of(self, phase: str) -> dict[str, list[Step]]:
        """Return a phase's steps by node, in order."""
        nodes: dict[str, list[Step]] = {}
        for step in self.steps:
            if step.phase == phase:
                nodes.setdefault(step.node, []).append(step)
        return nodes


def make_plan(
    facts: Sequence[NodeFacts], choices: Choices, *, run: str, now: datetime
) -> Plan:
    """Plan the regeneration of every certificate of a site.

    Args:
        facts: Every node of the roster, surveyed.
        choices: What the operator decided.
        run: The run's name.
        now: Aware, UTC.

    Raises:
        PuppetEnterprise: A node is Puppet Enterprise.
        SiteError: Something forbids any change; every such fault is named.
    """
    left_out = dict.fromkeys(choices.without, "left out on request")
    _require_known(facts, (*choices.skip, *choices.only))
    told = skipped(facts, choices)
    facts = with_extensions(facts, choices)
    if choices.only:
        return _renewal(facts, choices, run=run, now=now)
    refuse_obstacles(facts, left_out)
    nodes = [node for node in facts if node.name not in left_out]
    generation, pairs = next_generation(nodes, now), pairs_of(nodes, facts)
    return Plan(
        run=run,
        goal="regenerate",
        created=now,
        choices=choices,
        generation=generation,
        facts=tuple(facts),
        left_out=left_out,
        warnings=(
            *warnings_of(nodes, generation.shape, choices.allow),
            *unrenewed(nodes, facts),
            *told,
        ),
        steps=tuple(steps_of(nodes, choices.batch, pairs)),
        pairs=pairs,
    )


def _renewal(
    facts: Sequence[NodeFacts], choices: Choices, *, run: str, now: datetime
) -> Plan:
    """Plan new copies of the certificates that nodes have."""
    out = {*choices.without}
    nodes = [node for node in facts if node.extensions and node.name not in out]
    others = [node.name for node in facts if node not in nodes]
    refuse_obstacles(facts, others, pairs=False)
    for node in nodes:
        if node.hostcert is None or node.key_matches is not True:
            hint = "renew the node first: reseal site regenerate"
            message = f"{node.name}: has no certificate that its key belongs to"
            raise SiteError(message, hint=hint)
    return Plan(
        run=run,
        goal="renew",
        created=now,
        choices=choices,
        generation=None,
        facts=tuple(facts),
        left_out=dict.fromkeys(choices.without, "left out on request"),
        warnings=tuple(f"{n.name}: {f.message}" for n in nodes for f in n.faults),
        steps=tuple(renewal_steps(nodes, choices.batch)),
    )


def with_extensions(
    facts: Sequence[NodeFacts], choices: Choices
) -> tuple[NodeFacts, ...]:
    """Return facts as if the extensions that are not chosen were nowhere."""

    def chosen(name: str) -> bool:
        return name in choices.only if choices.only else name not in choices.skip

    kept = _keys_of(facts, choices.skip)

    def parts(node: NodeFacts) -> Iterator[ExtensionFacts]:
        for each in node.extensions:
            if chosen(each.name):
                copies = (c for c in each.copies if not (c.pair and c.key in kept))
                yield replace(each, copies=tuple(copies))

    return tuple(replace(node, extensions=tuple(parts(node))) for node in facts)


def _keys_of(facts: Sequence[NodeFacts], names: Collection[str]) -> set[str | None]:
    """Return the keys of pairs that these extensions have copies of, but nodes' own."""
    own = {each.hostcert.key_fingerprint for each in facts if each.hostcert}
    return {
        copy.key
        for node in facts
        for each in node.extensions
        if each.name in names
        for copy in each.copies
        if copy.pair
    } - own


def skipped(facts: Sequence[NodeFacts], choices: Choices) -> Iterator[str]:
    """Tell what stays as it is: skipped extensions, and the shared keys they have."""
    for name in choices.skip:
        yield f"{name}: its copies are left as they are"
    kept = _keys_of(facts, choices.skip)
    names = {
        copy.pair
        for node in facts
        for each in node.extensions
        for copy in each.copies
        if copy.pair and copy.key in kept
    }
    for name in sorted(names):
        yield f"{name}: the key stays, for what is skipped has it"


def _require_known(facts: Sequence[NodeFacts], skip: Sequence[str]) -> None:
    """Hold that what is chosen is somewhere; `SiteError` if it is not."""
    known = {each.name for node in facts for each in node.extensions}
    if unknown := set(skip) - known:
        hint = f"found are: {', '.join(sorted(known)) or 'none'}"
        raise SiteError(f"{', '.join(sorted(unknown))}: on no node", hint=hint)


def refuse_obstacles(
    facts: Sequence[NodeFacts], left_out: Iterable[str], *, pairs: bool = True
) -> None:
    """Raise what forbids a change to this site, all of it at once.

    Args:
        facts: Every node.
        left_out: Those that do not take part.
        pairs: Keys that nodes share are made anew.

    Raises:
        PuppetEnterprise: A node is Puppet Enterprise, left out or not.
        SiteError: A fault of a node that is not left out.
    """
    for node in facts:
        if node.flavour == "pe":
            fault = next((f for f in node.faults if f.severity == "stop"), None)
            message = fault.message if fault else "is Puppet Enterprise"
            hint = fault.remedy if fault else None
            raise PuppetEnterprise(f"{node.name}: {message}", hint=hint)
    skipped = set(left_out)
    if unknown := skipped - {node.name for node in facts}:
        raise SiteError(f"{', '.join(sorted(unknown))}: not in the roster")
    nodes = [node for node in facts if node.name not in skipped]
    faults = [(n, f) for n in nodes for f in _obstacles(n)]
    if pairs:
        faults += pair_obstacles(nodes, facts)
    if faults:
        hint = "; ".join(dict.fromkeys(f"{n.name}: {f.remedy}" for n, f in faults))
        raise SiteError(
            "; ".join(f"{n.name}: {f.message}" for n, f in faults), hint=hint
        )


def _obstacles(node: NodeFacts) -> list[Fault]:
    found = [fault for fault in node.faults if fault.severity != "warning"]
    if node.reachable:
        return [*found, *_unworkable(node)]
    if found:
        return found
    remedy = f"--without {node.name} leaves the node out"
    return [Fault("fault", "cannot be reached", remedy)]


def _unworkable(node: NodeFacts) -> Iterator[Fault]:
    """Find what no act could work on: a certname or a path of Puppet's settings."""
    if node.certname.startswith("-"):
        message = f"certname {node.certname}: is an option of Puppet's commands"
        yield Fault("fault", message, "give the node another certname")
    for name in ("ssldir", "hostcert", "hostprivkey", "localcacert", "hostcrl"):
        path = node.settings.get(name, "")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        sound = path.startswith("/") and len(parts) >= _DEPTH and ".." not in parts
        if not sound and (path or name == "ssldir"):
            message = f"{name} {path or 'unknown'}: is no SSL directory or file in one"
            yield Fault("fault", message, f"correct {name} in puppet.conf there")
    yield from _strange_copies(node)


def _strange_copies(node: NodeFacts) -> Iterator[Fault]:
    """Find copies that no run can renew."""
    for each in node.extensions:
        remedy = f"--skip {each.name} leaves its copies, to be renewed by hand"
        for text in obstacles(each, node):
            yield Fault("fault", text, remedy)
