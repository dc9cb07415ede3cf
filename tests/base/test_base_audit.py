"""Deeds are told, whole, to whoever asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reseal.audit import audit, auditing, file_sink
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
