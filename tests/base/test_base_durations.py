"""Durations are read as Puppet reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseal.durations import parse, render
from reseal.errors import ParseError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5y", timedelta(days=1825)),
        ("90d", timedelta(days=90)),
        ("86400", timedelta(days=1)),
        ("1d 12h", timedelta(hours=36)),
        ("1y 2d", timedelta(days=367)),
        ("30m15s", timedelta(minutes=30, seconds=15)),
        ("0", timedelta()),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "d", "5w", "-1d", "1.5d", "1d 12", "9" * 30])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@given(st.integers(0, 50 * 365 * 86400))
def test_what_is_rendered_reads_back(seconds: int) -> None:
    assert parse(render(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_the_largest_unit_is_used() -> None:
    assert render(timedelta(days=730)) == "2y"
    assert render(timedelta(days=90)) == "90d"
