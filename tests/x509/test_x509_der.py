"""DER: what is written reads back, and bad bytes end in ParseError."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from x509_world import calmly

from reseal.errors import ParseError
from reseal.x509 import der

arcs = st.lists(st.integers(0, 2**64), max_size=8)
moments = st.datetimes(
    datetime(1950, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)
)


@calmly
@given(st.integers())
@example(0)
@example(127)
@example(128)
@example(-128)
@example(-129)
def test_integers_read_back(value: int) -> None:
    encoded = der.integer(value)
    assert der.read_integer(der.parse(encoded)) == value
    content = der.parse(encoded).content
    assert len(content) == 1 or content[:2] not in (b"\x00\x00", b"\xff\xff")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "020100"), (127, "02017f"), (128, "02020080"), (-128, "020180")],
)
def test_integers_are_as_short_as_they_can_be(value: int, encoded: str) -> None:
    assert der.integer(value).hex() == encoded


@calmly
@given(st.integers(0, 1), st.integers(0, 39), arcs)
def test_object_identifiers_read_back(first: int, second: int, rest: list[int]) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.read_oid(der.parse(der.oid(dotted))) == dotted


@calmly
@given(st.integers(0, 2**40), arcs)
def test_object_identifiers_of_the_joint_arc_read_back(
    second: int, rest: list[int]
) -> None:
    dotted = ".".join(map(str, (2, second, *rest)))
    assert der.read_oid(der.parse(der.oid(dotted))) == dotted


@pytest.mark.parametrize("dotted", ["", "1", "3.1", "1.40", "1.2.x", "1.-2", "a.b"])
def test_what_is_no_object_identifier_is_refused(dotted: str) -> None:
    with pytest.raises(ParseError, match="not an object identifier"):
        der.oid(dotted)


@calmly
@given(moments)
def test_times_read_back_in_whole_seconds(moment: datetime) -> None:
    encoded = der.parse(der.time(moment))
    assert der.read_time(encoded) == moment.replace(microsecond=0)
    assert (encoded.tag == der.UTC_TIME) == (moment.year < 2050)


@pytest.mark.parametrize(
    ("digits", "year"), [("00", 2000), ("49", 2049), ("50", 1950), ("68", 1968)]
)
def test_two_digits_of_a_year_mean_1950_to_2049(digits: str, year: int) -> None:
    element = der.parse(der.tlv(der.UTC_TIME, f"{digits}0102030405Z".encode()))
    assert der.read_time(element) == datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC)


@calmly
@given(st.integers(0, 70_000))
@example(127)
@example(128)
@example(255)
@example(256)
@example(65_536)
def test_lengths_read_back(size: int) -> None:
    content = bytes(size)
    encoded = der.octet_string(content)
    assert der.parse(encoded) == der.Element(der.OCTET_STRING, content, encoded)


@calmly
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = tuple(der.elements(data))
    except ParseError:
        return
    assert b"".join(element.raw for element in found) == data


@calmly
@given(st.binary(max_size=12), st.sampled_from([1, 2, 3, 6, 10, 12, 19, 23, 24, 30]))
def test_any_content_is_read_or_refused(content: bytes, tag: int) -> None:
    element = der.Element(tag, content, b"")
    integer = (der.read_integer, der.read_oid, der.read_bit_string, der.read_time)
    for reader in (*integer, der.read_string, der.read_boolean):
        with suppress(ParseError):
            assert reader(element) is not None


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "0 values"),
        (b"\x02", "cut short"),
        (b"\x02\x02\x01", "cut short"),
        (b"\x02\x01\x01\x00\x00", "2 values"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x30\x85\x01\x01\x01\x01\x01", "too long"),
        (b"\x1f\x81\x01\x00", "tag number"),
    ],
)
def test_broken_values_say_what_is_wrong(data: bytes, fault: str) -> None:
    with pytest.raises(ParseError, match=fault):
        der.parse(data)


def test_another_tag_than_expected_is_named() -> None:
    with pytest.raises(ParseError, match="tag 0x02 where 0x30 belongs"):
        der.parse(der.integer(1)).expect(der.SEQUENCE)


def test_strings_with_bytes_their_type_forbids_are_read() -> None:
    wrong = der.parse(der.tlv(der.PRINTABLE_STRING, "bär".encode()))
    assert der.read_string(wrong) == "bär"
    latin = der.parse(der.tlv(der.UTF8_STRING, b"b\xe4r"))
    assert der.read_string(latin) == "bär"
    wide = der.parse(der.tlv(der.BMP_STRING, "bär".encode("utf-16-be")))
    assert der.read_string(wide) == "bär"


def test_sets_are_sorted() -> None:
    assert der.set_of([der.integer(2), der.integer(1)]).hex() == "3106020101020102"


def test_an_endless_object_identifier_is_refused() -> None:
    longest = der.tlv(der.OID, b"\x2a" + b"\xff" * 62 + b"\x7f")
    assert der.oid(der.read_oid(der.parse(longest))) == longest
    endless = der.tlv(der.OID, b"\x2a" + b"\xff" * 20_000 + b"\x7f")
    with pytest.raises(ParseError, match="too long"):
        der.read_oid(der.parse(endless))
