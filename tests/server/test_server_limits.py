"""Callers without a certificate are counted by address, in bounded memory."""

from __future__ import annotations

import pytest

from reseal.server import limits
from reseal.server.limits import Rates


def test_a_bucket_holds_a_minute_and_fills_evenly() -> None:
    rates = Rates(60)
    assert [rates.admit("192.0.2.1", 0.0) for _ in range(61)] == [True] * 60 + [False]
    assert rates.admit("192.0.2.2", 0.0)
    assert not rates.admit("192.0.2.1", 0.5)
    assert rates.admit("192.0.2.1", 1.6)
    assert not rates.admit("192.0.2.1", 1.7)
    assert sum(rates.admit("192.0.2.1", 10_000.0) for _ in range(100)) == 60


def test_no_limit_counts_nothing() -> None:
    assert all(Rates(0).admit("192.0.2.1", 0.0) for _ in range(1000))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "192.0.2.1", False),
    ],
)
def test_a_host_cannot_have_many_addresses(one: str, other: str, same: bool) -> None:
    rates = Rates(1)
    assert rates.admit(one, 0.0)
    assert rates.admit(other, 0.0) is not same


def test_the_address_seen_longest_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 2)
    rates = Rates(1)
    for address in ("a", "b", "c"):
        assert rates.admit(address, 0.0)
    assert not rates.admit("c", 0.0)
    assert rates.admit("a", 0.0)
