"""serial, inventory.txt and infra_serials, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseal.errors import StoreCorrupt
from reseal.store import formats
from reseal.store.formats import (
    parse_inventory,
    parse_lines,
    parse_row,
    parse_serial,
    render_infra_serials,
    render_serial,
)
from reseal.store.protocol import HIGHEST_SERIAL, InventoryRow

GOLDEN = Path(__file__).parent.parent / "data" / "cadir"
ROW = InventoryRow(
    0x251F,
    datetime(2026, 11, 22, 16, 15, 44, tzinfo=UTC),
    datetime(2031, 11, 22, 16, 15, 44, tzinfo=UTC),
    "/CN=agent1.example.com",
)


@pytest.mark.parametrize(
    ("data", "serial"),
    [
        (b"0001", 1),
        (b"002\n", 2),
        (b"251f\n", 0x251F),
        (b"  00A0  ", 0xA0),
        (b"80000000", HIGHEST_SERIAL + 1),
    ],
)
def test_serials_of_every_tool_are_read(data: bytes, serial: int) -> None:
    assert parse_serial(data, "serial") == serial


@pytest.mark.parametrize("data", [b"", b"\n", b"0000", b"0x10", b"xyz", b"80000001"])
def test_what_is_no_serial(data: bytes) -> None:
    with pytest.raises(StoreCorrupt, match=r"^serial: "):
        parse_serial(data, "serial")


@given(st.integers(1, HIGHEST_SERIAL))
def test_a_serial_that_was_written_reads_back(serial: int) -> None:
    assert parse_serial(render_serial(serial), "serial") == serial
    assert len(render_serial(serial)) >= 4


def test_a_row_is_written_as_puppet_server_or_as_the_ruby_ca() -> None:
    dates = b" 2026-11-22T16:15:44UTC 2031-11-22T16:15:44UTC /CN=agent1.example.com\n"
    assert ROW.line() == b"0x251F" + dates
    assert ROW.line(ruby=True) == b"0x251f" + dates


@pytest.mark.parametrize(
    ("golden", "ruby"), [("puppet-5.5", True), ("puppetserver-8", False)]
)
def test_the_inventories_of_real_tools_are_written_back_alike(
    golden: str, ruby: bool
) -> None:
    data = (GOLDEN / golden / "inventory.txt").read_bytes()
    rows = tuple(parse_inventory(data, "inventory.txt"))
    assert b"".join(row.line(ruby=ruby) for row in rows) == data
    assert rows[-1].certname == "web03.example.com"


times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(
    lambda time: time.replace(microsecond=0, tzinfo=UTC)
)
subjects = st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]))


@given(st.integers(1, HIGHEST_SERIAL), times, times, subjects, st.booleans())
def test_a_row_that_was_written_reads_back(
    serial: int, begin: datetime, end: datetime, name: str, ruby: bool
) -> None:
    row = InventoryRow(serial, begin, end, f"/CN={name}")
    line = row.line(ruby=ruby).decode().removesuffix("\n")
    assert parse_row(line) == row
    assert row.certname == name


@pytest.mark.parametrize(
    "line",
    [
        "torn 0x00",
        "0x0001 2026-11-22T16:15:44UTC /CN=a",
        "0x0001 2026-13-22T16:15:44UTC 2031-11-22T16:15:44UTC /CN=a",
        "0xZZZZ 2026-11-22T16:15:44UTC 2031-11-22T16:15:44UTC /CN=a",
        "0x0001  2026-11-22T16:15:44UTC 2031-11-22T16:15:44UTC CN=a",
    ],
)
def test_a_line_that_is_no_row_is_named(line: str) -> None:
    with pytest.raises(StoreCorrupt, match=r"inventory\.txt: line 3: not a row"):
        list(parse_inventory(ROW.line() + b"\n" + line.encode(), "inventory.txt"))


def test_a_subject_of_several_parts_has_no_certname() -> None:
    assert InventoryRow(1, ROW.not_before, ROW.not_after, "/O=x/CN=a").certname == ""


def test_lists_of_infrastructure() -> None:
    assert render_infra_serials([10, 9, 10]) == b"9\n10\n"
    assert parse_lines(b"\n a.example.com \n\nb\n") == ("a.example.com", "b")


@pytest.mark.parametrize(
    ("sentence", "lines", "found"),
    [
        (
            "its rows alone, in order",
            b"1 /CN=a\n2 /CN=ab\n3 /CN=a\n",
            b"1 /CN=a\n3 /CN=a\n",
        ),
        ("no part of another name", b"1 /CN=a.b\n2 /CN=xa\n", b""),
        ("white space after it", b"1 /CN=a \r\n2 /CN=b\n", b"1 /CN=a \r\n"),
        ("a last line without its end", b"1 /CN=b\n2 /CN=a", b"2 /CN=a"),
        ("nothing at all", b"", b""),
    ],
)
def test_the_rows_of_a_name_are_found(
    sentence: str, lines: bytes, found: bytes
) -> None:
    assert formats.find_rows(lines, "a") == found, sentence


def test_random_serials_are_positive_long_and_new() -> None:
    drawn = {formats.random_serial() for _ in range(200)}
    assert len(drawn) == 200
    assert all(serial.bit_length() == 127 for serial in drawn)
