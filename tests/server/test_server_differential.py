"""reseal answers what a real Puppet Server answered, but for what is better.

Sources: the recordings under tests/data/server (their README says how they were made).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from differential.betterments import BETTERMENTS, EVERYWHERE, explained
from differential.cases import ALL, repeated, scenarios
from differential.configurations import CONFIGURATIONS
from differential.driver import drive_all
from differential.model import API, VERSIONS, Configuration
from differential.normalise import Answer
from differential.ours import serving
from differential.record import read
from openapi import fault

NAMES = [each.name for each in CONFIGURATIONS]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=NAMES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_difference_is_a_betterment(
    configuration: Configuration, version: int, tmp_path: Path
) -> None:
    theirs = read(version, configuration.name)
    with serving(configuration, version, tmp_path) as target:
        ours = drive_all(target, scenarios(configuration.name, version))
    assert ours.keys() == theirs.keys()
    assert not undocumented(ours)
    different = [
        f"{case}:\n  Puppet Server {version}: {theirs[case]}\n  reseal: {ours[case]}"
        for case in ours
        if not explained(version, case, theirs[case], ours[case])
    ]
    assert not different, f"{len(different)} of {len(ours)}\n" + "\n".join(different)


def undocumented(answers: dict[str, Answer]) -> list[str]:
    """Return what of the answers is not in the OpenAPI document."""
    found = []
    for case in (case for scenario in ALL for case in scenario.steps):
        answer = answers.get(case.id, {})
        if "status" in answer:
            path = case.path if case.path.startswith("/") else f"{API}{case.path}"
            status, media_type = answer["status"], answer["type"]
            assert isinstance(status, int)
            told = fault(case.method, path, status, str(media_type))
            found += [f"{case.id}: {told}"] if told else []
    return found


def test_there_are_cases_enough_and_each_has_a_name_of_its_own() -> None:
    assert not repeated()
    assert sum(len(each.cases) for each in ALL) >= 250


def test_every_betterment_is_of_cases_that_there_are() -> None:
    cases = [case.id for each in ALL for case in each.cases]
    for each in BETTERMENTS:
        assert any(re.fullmatch(each.cases, case) for case in cases), each


def test_the_reference_tells_every_betterment_and_no_other() -> None:
    page = Path(__file__).parents[2] / "docs/reference/server-answers.md"
    text = page.read_text()
    counts = [len(read(v, n)) for v in VERSIONS for n in NAMES]
    both = sum(counts[: len(NAMES)]), sum(counts[len(NAMES) :])
    assert f"sends {both[1]} requests" in text
    assert f"({both[0]} and Puppet Server 7" in text
    told = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    assert sorted(told) == sorted(
        {e.id for e in BETTERMENTS} | {e[0] for e in EVERYWHERE}
    )
