"""How surveys, plans and proofs look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import typer

from reseal.cli.output import shown, table
from reseal.errors import UsageError
from reseal.site.check import Check
from reseal.site.facts import NodeFacts
from reseal.site.pairs import shared
from reseal.site.plan import Plan
from reseal.site.run import Outcome

_ENDING = 11
"""Characters of a fingerprint's ending that are typed: four bytes."""


def survey_text(facts: Sequence[NodeFacts]) -> str:
    """Return a survey as a table, then the CA, then the faults."""
    heads = ("NODE", "ROLES", "PLATFORM", "PUPPET", "AGENT", "CERTIFICATE ENDS", "SKEW")
    lines = [table([heads, *(_row(node) for node in facts)])]
    for node in facts:
        lines.extend(_server(node))
        lines.extend(_extensions(node))
    for node in facts:
        for fault in node.faults:
            lines.append(f"\n{node.name}: {fault.severity}: {fault.message}")
            lines.append(f"    {fault.remedy}")
    return shown("\n".join(lines))


def _row(node: NodeFacts) -> tuple[str, ...]:
    if not node.reachable:
        return (node.name, ",".join(node.roles), "not reached", "", "", "", "")
    end = f"{node.hostcert.not_after:%F}" if node.hostcert else "none"
    return (
        node.name,
        ",".join(node.roles),
        node.platform,
        f"{node.flavour} {node.puppet_version}",
        "disabled" if node.disabled is not None else node.agent_mode,
        end,
        f"{node.clock_skew:+.0f} s",
    )


def _server(node: NodeFacts) -> Iterator[str]:
    server = node.server
    if server is None:
        return
    state = "running" if server.service and server.service.active else "stopped"
    yield f"\n{node.name}: {server.kind} {server.version}, {state}"
    if server.is_ca:
        yield f"  CA in {server.cadir}, {server.shape}, {server.certificates} signed"
        yield f"  autosign: {server.autosign}"
        for ca in server.ca:
            yield f"  {ca.subject}, {ca.key}, ends {ca.not_after:%F}"
            yield f"    {ca.fingerprint}"


def _extensions(node: NodeFacts) -> Iterator[str]:
    """Tell each copy: what it holds, how long, and whose file it is."""
    for each in node.extensions:
        running = any(service.active for service in each.services)
        state = "running" if running else "stopped"
        yield f"\n{node.name}: {each.title}{f', {state}' if each.services else ''}"
        for copy in each.copies:
            held = ", ".join(copy.holds) if copy.there else "missing"
            held += f" of {copy.pair}" if copy.pair else ""
            ends = [cert.not_after for cert in copy.certificates]
            end = f", ends {min(ends):%F}" if ends else ""
            own = ", Puppet's own file" if copy.own else ""
            yield f"  {copy.path}: {held}{end}{own}"


def plan_text(plan: Plan) -> str:
    """Return a plan: the CA, the phases with their nodes and steps, the warnings."""
    lines = [*_goal(plan), ""]
    for phase in plan.phases:
        nodes = plan.of(phase)
        lines.append(f"{phase}: {', '.join(nodes)}")
        for step in max(nodes.values(), key=len):
            stops = f", stops {step.stops}" if step.stops else ""
            lines.append(f"    {step.title} (about {step.seconds} s{stops})")
    down = sum(s.seconds for s in plan.steps if s.stops == "the site")
    lines += ["", f"The server is down for about {down} s." if down else ""]
    lines += [f"Shared key: {shared(pair)}." for pair in plan.pairs]
    lines += [f"Left out: {name}: {why}" for name, why in plan.left_out.items()]
    lines += [f"Warning: {warning}" for warning in plan.warnings]
    return shown("\n".join(lines))


def _goal(plan: Plan) -> Iterator[str]:
    """Tell what a plan leads to."""
    new = plan.generation
    if new is None:
        names = ", ".join(plan.choices.only)
        yield f"Run {plan.run}: renew the copies of {names} on {_count(plan)} nodes."
        yield "The CA and every node's own certificate stay as they are."
        return
    kind = "a root and a signing CA" if new.shape == "chain" else "one self-signed CA"
    what = "replace the CA and all certificates"
    yield f"Run {plan.run}: {what} of {_count(plan)} nodes."
    words = f"({kind}, rsa:{new.key_bits}), serial numbers from {new.first_serial:04X}"
    yield f"New CA: {new.ca_name} {words}"


def _count(plan: Plan) -> int:
    return len({step.node for step in plan.steps})


def confirm(plan: Plan) -> None:
    """Let the operator type the ending of the fingerprint of the CA that will go.

    Raises:
        UsageError: Nobody is there to type, or something else was typed.
    """
    if plan.generation is None and sys.stdin.isatty():
        typer.confirm("Renew these copies?", abort=True, err=True)
        return
    server = plan.ca.server
    fingerprint = server.ca[0].fingerprint if server and server.ca else ""
    if not sys.stdin.isatty():
        hint = "look at the plan first; then say --yes"
        raise UsageError("nobody is there to confirm", hint=hint)
    typer.echo(f"\nThe CA that will be replaced: {fingerprint}", err=True)
    text = f"Type the last {_ENDING} characters of its fingerprint to go on"
    typed = str(typer.prompt(text, err=True))
    if typed.strip().upper() != fingerprint[-_ENDING:]:
        raise UsageError("that is another fingerprint; nothing was changed")


def verdict(checks: Sequence[Check], outcome: Outcome | None = None) -> str:
    """Return a proof as a table, and how a run ended."""
    lines = []
    if checks:
        heads = ("NODE", "CHECK", "", "SEEN")
        rows = [(c.node, c.name, "ok" if c.ok else "FAILED", c.note) for c in checks]
        lines.append(table([heads, *rows]))
    nodes = dict.fromkeys(check.node for check in checks)
    bad = {check.node for check in checks if not check.ok}
    lines.append(f"{len(nodes) - len(bad)} of {len(nodes)} nodes proven.")
    if outcome is not None:
        lines += [f"{node}: failed: {why}" for node, why in outcome.failed.items()]
        lines += [f"{node}: untouched" for node in outcome.untouched]
        lines += [f"{node}: has steps left" for node in outcome.left]
        if not outcome.whole:
            lines.append("Go on with: reseal site resume; undo: reseal site rollback")
    return shown("\n".join(lines))
