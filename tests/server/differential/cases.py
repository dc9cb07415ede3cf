"""Every scenario.

Guarantee: ids are unique, of scenarios and of cases.
"""

from __future__ import annotations

from collections import Counter

from . import cases_access, cases_fetch, cases_paths, cases_requests, cases_states
from .model import Scenario

ALL: tuple[Scenario, ...] = (
    *cases_paths.SCENARIOS,
    *cases_fetch.SCENARIOS,
    *cases_access.SCENARIOS,
    *cases_requests.SCENARIOS,
    *cases_states.SCENARIOS,
)


def scenarios(configuration: str, version: int) -> list[Scenario]:
    """Return the scenarios of one server."""
    return [
        each
        for each in ALL
        if each.configuration == configuration and version in each.versions
    ]


def repeated() -> list[str]:
    """Return ids that stand more than once."""
    counts = Counter(each.id for each in ALL)
    counts.update(case.id for each in ALL for case in each.cases)
    return [name for name, count in counts.items() if count > 1]
