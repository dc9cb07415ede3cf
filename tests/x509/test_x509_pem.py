"""PEM: text around blocks is passed over, broken blocks are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x509_world import calmly

from reseal.errors import ParseError
from reseal.x509 import pem
from reseal.x509.pem import Block


@calmly
@given(st.binary(min_size=1, max_size=300))
def test_blocks_read_back(data: bytes) -> None:
    text = pem.encode("X509 CRL", data)
    assert pem.decode(text) == (Block("X509 CRL", data),)
    assert all(len(line) <= 64 for line in text.splitlines())
    assert text.endswith(b"-----END X509 CRL-----\n")


@calmly
@given(st.lists(st.tuples(st.sampled_from(["A", "B C"]), st.binary(min_size=1))))
def test_bundles_keep_their_order(blocks: list[tuple[str, bytes]]) -> None:
    text = b"some text\n".join(pem.encode(label, data) for label, data in blocks)
    assert pem.decode(text) == tuple(Block(*each) for each in blocks)


@calmly
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert pem.decode(data) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"Certificate:\n    Data:\n" + text + b"\ntrailing",
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b" \n"),
        lambda text: b"  " + text.replace(b"\n", b"\n  "),
        lambda text: text.rstrip(),
    ],
    ids=[
        "text around",
        "carriage returns",
        "trailing blanks",
        "indented",
        "no newline",
    ],
)
def test_what_editors_do_to_files_does_no_harm(change: object) -> None:
    assert callable(change)
    text = pem.encode("CERTIFICATE", b"x" * 100)
    assert pem.decode(change(text)) == (Block("CERTIFICATE", b"x" * 100),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"-----BEGIN A-----\nYQ==\n", "A has no end"),
        (b"-----BEGIN A-----\nYQ==\n-----END B-----\n", "A has no end"),
        (b"-----BEGIN A-----\nY!==\n-----END A-----\n", "A is not base64"),
        (b"-----BEGIN A-----\nYQ\n-----END A-----\n", "A is not base64"),
        (b"-----BEGIN A-----\nProc-Type: 4\n\nYQ==\n-----END A-----\n", "encrypted"),
    ],
)
def test_broken_blocks_are_refused(text: bytes, fault: str) -> None:
    with pytest.raises(ParseError, match=fault):
        pem.decode(text)
