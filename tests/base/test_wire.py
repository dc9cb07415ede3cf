"""The HTTP contract: what is asked, and what a refusal says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from reseal import wire
from reseal.certname import Certname

NAME = Certname("web01.example.com")
PATH = f"/puppet-ca/v1/certificate_status/{NAME}"


def test_signing_asks_as_puppetserver_ca_does() -> None:
    asked = wire.put_state(NAME, "signed")
    assert (asked.method, asked.path) == ("PUT", PATH)
    assert json.loads(asked.body) == {"desired_state": "signed"}
    assert asked.headers["Content-Type"] == "application/json"


def test_a_lifetime_is_asked_for_in_seconds() -> None:
    asked = wire.put_state(NAME, "signed", timedelta(days=10))
    assert json.loads(asked.body) == {"desired_state": "signed", "cert_ttl": 864000}


def test_a_request_is_handed_in_as_text() -> None:
    asked = wire.put_request(NAME, b"-----BEGIN")
    assert asked.path == f"/puppet-ca/v1/certificate_request/{NAME}"
    assert (asked.body, asked.headers["Content-Type"]) == (b"-----BEGIN", "text/plain")


def test_names_are_percent_encoded() -> None:
    assert wire.delete(Certname("a b@c")).path.endswith("/a%20b%40c")


@pytest.mark.parametrize(
    ("media_type", "body", "said"),
    [
        (
            "text/plain",
            b"Invalid certificate subject.\n",
            "Invalid certificate subject.",
        ),
        ("application/json", b'{"message":"Not Found: x"}', "Not Found: x"),
        ("application/json", b'{"kind":"data-invalid","msg":"bad"}', "bad"),
        ("application/json", b'["x"]', '["x"]'),
        ("application/json", b"not JSON", "not JSON"),
        ("", b"\xff", "\ufffd"),
    ],
)
def test_what_an_answer_says(media_type: str, body: bytes, said: str) -> None:
    assert wire.Response(409, media_type, body).text == said


@pytest.mark.parametrize(
    ("status", "body", "message", "hinted"),
    [
        (409, b"CSR 'x' contains extra", "CSR 'x' contains extra", False),
        (404, b"Invalid certificate subject.", "Invalid certificate subject.", False),
        (403, b"Forbidden", f"ca:8140: answers 403 to DELETE {PATH}: Forbidden", True),
        (500, b"", f"ca:8140: answers 500 to DELETE {PATH}", True),
    ],
)
def test_a_refusal_is_the_servers_sentence_or_names_the_request(
    status: int, body: bytes, message: str, hinted: bool
) -> None:
    answer = wire.Response(status, "text/plain", body)
    error = wire.refusal("ca:8140", wire.delete(NAME), answer)
    assert (str(error), error.status) == (message, status)
    assert (error.hint is not None) is hinted
