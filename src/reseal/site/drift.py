"""Has the world moved since a plan was made?

Guarantee: only what the plan relies on counts; a clock that drifts or a disk that
fills a little does not make a plan stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reseal.errors import PlanStale
from reseal.site.copies import obstacles
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.facts import NodeFacts
from reseal.site.material import ServiceFacts
from reseal.site.plan import Plan, with_extensions

_SETTINGS = (
    "ssldir",
    "hostcert",
    "hostprivkey",
    "localcacert",
    "hostcrl",
    "requestdir",
)
"""The settings whose paths a run reads and replaces."""


def _setting(name: str) -> Callable[[NodeFacts], object]:
    return lambda node: node.settings.get(name)


def _name(service: ServiceFacts | None) -> str | None:
    return service.name if service is not None else None


def _copies(extension: ExtensionFacts, node: NodeFacts) -> object:
    """Return what of an extension's copies a run relies on."""
    copies = [
        (c.path, c.own, c.there, c.format, c.pair)
        + ((c.key, c.link, c.cleared, c.keys) if c.pair else ())
        for c in extension.copies
    ]
    return extension.name, copies, [*obstacles(extension, node)]


_RELIED_ON: tuple[tuple[str, Callable[[NodeFacts], object]], ...] = (
    ("can be reached", lambda node: node.reachable),
    ("certname", lambda node: node.certname),
    ("roles", lambda node: node.roles),
    ("Puppet's version", lambda node: node.puppet_version),
    ("puppet command", lambda node: node.puppet),
    ("Ruby", lambda node: node.ruby),
    *((f"setting {name}", _setting(name)) for name in _SETTINGS),
    ("certificate", lambda node: node.hostcert and node.hostcert.fingerprint),
    ("CA", lambda node: node.server and [ca.fingerprint for ca in node.server.ca]),
    ("cadir", lambda node: node.server and node.server.cadir),
    ("next serial number", lambda node: node.server and node.server.next_serial),
    ("server's service", lambda node: node.server and _name(node.server.service)),
    ("agent's service", lambda node: _name(node.agent)),
    ("way the agent is run", lambda node: node.agent_mode),
    ("copies", lambda node: [_copies(each, node) for each in node.extensions]),
    ("agent's being disabled", lambda node: node.disabled is None),
)


def require_unmoved(plan: Plan, facts: Sequence[NodeFacts]) -> None:
    """Compare a plan's facts with today's.

    Raises:
        PlanStale: Something the plan relies on is different; all of it is named.
    """
    facts = with_extensions(facts, plan.choices)
    moved = list(differences(plan, facts))
    if moved:
        hint = "make a new plan: reseal site plan"
        raise PlanStale(f"the plan is stale: {'; '.join(moved)}", hint=hint)


def differences(plan: Plan, facts: Sequence[NodeFacts]) -> Iterator[str]:
    """Yield every difference in what a plan relies on."""
    now = {node.name: node for node in facts}
    for node in plan.facts:
        if node.name in plan.left_out:
            continue
        if node.name not in now:
            yield f"{node.name} is no longer in the roster"
            continue
        for what, look in _RELIED_ON:
            if look(node) != look(now[node.name]):
                yield f"{node.name}: its {what} has changed"
    for name in now.keys() - {node.name for node in plan.facts}:
        yield f"{name} is new in the roster"
