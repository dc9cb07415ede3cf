"""A run told afterwards: as JSON, and as one page that stands alone.

Guarantee: a report says what the journal and the proof say and nothing more; no
key and no secret is in it.  The page needs no network, no script and no colour.

Sources: the run's plan, journal and checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from reseal.site.check import Check
from reseal.site.journal import Line
from reseal.site.material import CertificateFacts
from reseal.site.pairs import shared
from reseal.site.plan import Plan
from reseal.x509.bundle import load_certificates
from reseal.x509.certificate import common_name, fingerprint

WIDTH = 720
"""Width of the page's timeline in its own units."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A step's time in a run.

    Attributes:
        node: Certname.
        step: The step's id.
        title: What it does.
        phase: Its phase.
        start: Seconds from the begin of the run.
        end: The same; where the step broke off, when the run went on or ended.
        state: `done` or `failed`.
        note: Why it failed; empty otherwise.
    """

    node: str
    step: str
    title: str
    phase: str
    start: float
    end: float
    state: str
    note: str


def bars(plan: Plan, lines: Sequence[Line]) -> Iterator[Bar]:
    """Yield the time that every step took, in the order of their ends."""
    if not lines:
        return
    steps = {step.id: step for step in plan.steps}
    first = lines[0].at
    begun: dict[str, datetime] = {}
    for line in lines:
        step = steps.get(line.step)
        if line.event == "begun":
            begun[line.step] = line.at
        elif step and line.event in ("done", "failed") and line.step in begun:
            end = (line.at - first).total_seconds()
            start = end - line.seconds
            if not line.seconds:
                start = (begun[line.step] - first).total_seconds()
            state, note = line.event, line.note
            yield Bar(
                *(step.node, step.id, step.title, step.phase, max(start, 0), end),
                *(state, note),
            )


def report_of(
    plan: Plan, lines: Sequence[Line], checks: Sequence[Check], bundle: bytes | None
) -> dict[str, Any]:
    """Return a run's report as values that JSON knows."""
    timeline = sorted(bars(plan, lines), key=lambda bar: (bar.start, bar.end))
    began, ended = (lines[0].at, lines[-1].at) if lines else (None, None)
    failed = _failures(lines)
    good = {each.node for each in checks} - {e.node for e in checks if not e.ok}
    return {
        "run": plan.run,
        "goal": plan.goal,
        "began": began.isoformat() if began else None,
        "ended": ended.isoformat() if ended else None,
        "seconds": (ended - began).total_seconds() if began and ended else 0,
        "ended_as": lines[-1].note if lines and lines[-1].event == "end" else "open",
        "old_ca": [_shown(ca) for ca in _old_ca(plan)],
        "new_ca": [
            {"subject": common_name(each), "fingerprint": fingerprint(each)}
            for each in (load_certificates(bundle) if bundle else ())
        ],
        "nodes": list(dict.fromkeys(step.node for step in plan.steps)),
        "proven": sorted(good),
        "left_out": plan.left_out,
        "warnings": list(plan.warnings),
        "shared_keys": [shared(pair) for pair in plan.pairs],
        "failures": {n: why for n, why in failed.items() if n not in good},
        "checks": [asdict(each) for each in checks],
        "timeline": [asdict(bar) for bar in timeline],
        "backups": f"{plan.ca.backups}/{plan.run}",
    }


def _failures(lines: Sequence[Line]) -> dict[str, str]:
    """Return why nodes failed, by certname; what was tried anew later is forgotten."""
    failed: dict[str, str] = {}
    for line in lines:
        name = line.step.split("/")[0]
        if line.event == "failed":
            failed[name] = line.note
        elif line.event == "undone":
            failed.pop(name, None)
        elif line.event == "resume":
            failed.clear()
    return failed


def _old_ca(plan: Plan) -> Sequence[CertificateFacts]:
    return plan.ca.server.ca if plan.ca.server else ()


def _shown(certificate: CertificateFacts) -> dict[str, str]:
    return {"subject": certificate.subject, "fingerprint": certificate.fingerprint}


def page_of(report: dict[str, Any]) -> str:
    """Return a report as one HTML page."""
    text = (files("reseal.site") / "report.html.j2").read_text()
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rows: dict[str, list[Any]] = {node: [] for node in report["nodes"]}
    for bar in report["timeline"]:
        rows.setdefault(bar["node"], []).append(bar)
    whole = max(report["seconds"], 1)
    return environment.from_string(text).render(
        report=report, rows=rows, whole=whole, width=WIDTH, ticks=_ticks(whole)
    )


def _ticks(whole: float) -> list[int]:
    """Return the seconds at which the timeline has a line: five to ten of them."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
    step = next((each for each in steps if whole / each <= 10), 86400)
    return list(range(0, int(whole) + 1, step))
