"""TOML is read strictly, and every fault has its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reseal.errors import SettingsError
from reseal.tomlfile import Table, open_toml


@pytest.fixture
def top(tmp_path: Path) -> Table:
    path = tmp_path / "a.toml"
    path.write_text(
        '[ca]\nyes = true\nlife = "1d 12h"\nshort = 30\n\n'
        'bad = "yes"\nworse = "5w"\nworst = true\n'
    )
    return open_toml(path, hint="read the page")


def test_booleans_and_durations_are_taken(top: Table) -> None:
    ca = top.table("ca")
    assert ca.boolean("yes") is True
    assert ca.duration("life") == timedelta(hours=36)
    assert ca.duration("short") == timedelta(seconds=30)
    assert (ca.boolean("none"), ca.duration("none")) == (None, None)
    assert ca.names() == ("bad", "worse", "worst")


def test_every_fault_is_told_with_its_line_and_the_hint(top: Table) -> None:
    ca = top.table("ca")
    assert ca.boolean("bad") is None
    assert ca.duration("worse") is None
    assert ca.duration("worst") is None
    with pytest.raises(SettingsError) as caught:
        top.faults.check()
    assert caught.value.faults == (
        "line 6: bad: must be true or false",
        'line 7: worse: must be a duration, like "30s" or "90d"',
        'line 8: worst: must be a duration, like "30s" or "90d"',
    )
    assert caught.value.hint == "read the page"
