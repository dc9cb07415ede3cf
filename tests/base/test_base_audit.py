"""Deeds are told, whole, to whoever asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reseal.audit import audit, auditing, file_sink, wanted_by
from reseal.errors import StoreError


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_deeds_inside_the_block_are_kept_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit("certificate.issued", certname="before")
    with auditing(file_sink(path), Noon()):
        audit("certificate.issued", certname="wéb01", serial="0002")
        audit("certificate.revoked", serials=["0002"])
    audit("certificate.issued", certname="after")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert entries == [
        {
            "time": "2026-11-23T12:00:00Z",
            "event": "certificate.issued",
            "certname": "wéb01",
            "serial": "0002",
        },
        {
            "time": "2026-11-23T12:00:00Z",
            "event": "certificate.revoked",
            "serials": ["0002"],
        },
    ]


def test_a_record_that_fails_stops_the_deed(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "absent" / "audit.log")
    with auditing(sink, Noon()), pytest.raises(StoreError):
        audit("certificate.issued", certname="web01")


def test_who_wanted_a_deed_stands_last_and_no_longer_than_wanted() -> None:
    lines: list[str] = []
    with auditing(lines.append, Noon()):
        with wanted_by(by="puppet.example.com", address="192.0.2.1"):
            audit("request.removed", certname="web01")
        with wanted_by(by="", address="192.0.2.2"):
            audit("request.received", certname="web02")
        audit("crl.renewed", authorities=["Puppet CA"])
    told = [list(json.loads(line).items())[2:] for line in lines]
    assert told == [
        [
            ("certname", "web01"),
            ("by", "puppet.example.com"),
            ("address", "192.0.2.1"),
        ],
        [("certname", "web02"), ("address", "192.0.2.2")],
        [("authorities", ["Puppet CA"])],
    ]
