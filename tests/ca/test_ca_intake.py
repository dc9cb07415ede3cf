"""A request that arrives is signed, kept or refused, and a refusal leaves nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from scene import Scene

from reseal import audit
from reseal.ca.intake import Intake
from reseal.ca.profile import Profile
from reseal.ca.rules import Rules
from reseal.ca.sign import revoke_name
from reseal.certname import Certname
from reseal.errors import (
    DuplicateCertificate,
    InvalidRequest,
    NotFound,
    PolicyError,
    TooManyRequests,
)
from reseal.x509 import der, keys
from reseal.x509.certificate import public_key
from reseal.x509.csr import build_request

KEY = keys.LocalSigner(keys.generate("ec:secp256r1"))
NEW = Certname("new.example.com")
PEM = build_request(KEY, NEW).pem
NAMED = build_request(KEY, NEW, ("DNS:other.example.com",)).pem


def forged() -> bytes:
    """Return a request signed with another key than its own."""
    other = keys.LocalSigner(keys.generate("ec:secp256r1"))
    info, algorithm, _ = der.parse(build_request(KEY, NEW).der).children()
    bits = der.bit_string(other.sign(info.raw))
    return replace(
        build_request(KEY, NEW), der=der.sequence(info.raw, algorithm.raw, bits)
    ).pem


@dataclass
class Desk:
    """An intake whose autosign setting a test chooses."""

    scene: Scene
    at_once: bool = False
    asked: list[Certname] = field(default_factory=list)

    def autosign(self, certname: Certname, pem: bytes) -> bool:
        self.asked.append(certname)
        return self.at_once

    def intake(self, **changes: object) -> Intake:
        authority = self.scene.authority
        made = Intake(
            authority=authority,
            rules=Rules(allow_weak_digests=False),
            profile=Profile(timedelta(days=10)),
            clock=self.scene.clock,
            autosign=self.autosign,
            revoked=lambda serial: serial == 3,
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def left_behind(self) -> tuple[list[str], list[str]]:
        """Return which names have a request, and which a certificate."""
        store = self.scene.authority.store
        return [n for n, _ in store.requests()], [*store.certnames()]


@pytest.fixture
def desk(scene: Scene) -> Desk:
    return Desk(scene)


def test_a_request_waits(desk: Desk) -> None:
    assert desk.intake().receive(NEW, PEM) is None
    assert desk.scene.authority.store.request(NEW) == PEM
    assert desk.asked == [NEW]


def test_a_request_is_signed_at_once_and_never_waits(desk: Desk) -> None:
    desk.at_once = True
    made = desk.intake().receive(NEW, PEM)
    assert made is not None
    assert keys.same_key(public_key(made), KEY.public_key)
    requests, certificates = desk.left_behind()
    assert (requests, NEW in certificates) == ([], True)


WEAK = keys.LocalSigner(rsa.generate_private_key(public_exponent=65537, key_size=1024))


@pytest.mark.parametrize(
    ("sentence", "name", "pem", "at_once", "error", "text"),
    [
        ("garbage", NEW, b"x", False, InvalidRequest, "no PEM block"),
        ("two requests", NEW, PEM + PEM, False, InvalidRequest, "more than one"),
        ("a forged one", NEW, forged(), False, PolicyError, "does not correspond"),
        (
            "a weak key",
            NEW,
            build_request(WEAK, NEW).pem,
            False,
            PolicyError,
            "peers refuse",
        ),
        ("another's name", "x.example.com", PEM, False, PolicyError, "Instance name"),
        ("names, to be signed", NEW, NAMED, True, PolicyError, "alternative names"),
        ("the CA's name", "ca", build_request(KEY, "ca").pem, True, PolicyError, "own"),
        ("an upper-case name", "NEW", PEM, False, PolicyError, "lower case"),
    ],
)
def test_a_refusal_leaves_an_audit_line_and_nothing_else(
    desk: Desk,
    sentence: str,
    name: str,
    pem: bytes,
    at_once: bool,
    error: type[Exception],
    text: str,
) -> None:
    desk.at_once = at_once
    before, lines = desk.left_behind(), list[str]()
    serial = desk.scene.read("serial")
    with (
        audit.auditing(lines.append, desk.scene.clock),
        pytest.raises(error, match=text),
    ):
        desk.intake().receive(name, pem)
    assert desk.left_behind() == before, sentence
    assert desk.scene.read("serial") == serial
    told = [json.loads(line) for line in lines]
    assert [(each["event"], each["certname"]) for each in told] == [
        ("request.refused", name)
    ]


def test_names_that_may_be_allowed_later_wait(desk: Desk) -> None:
    assert desk.intake().receive(NEW, NAMED) is None
    assert desk.left_behind()[0] == [NEW]


@pytest.mark.parametrize(
    ("name", "prepare", "state"),
    [
        ("web01.example.com", lambda desk: None, "revoked"),
        ("puppet.example.com", lambda desk: None, "signed"),
        (NEW, lambda desk: desk.intake().receive(NEW, PEM), "requested"),
    ],
)
def test_a_name_that_has_something_gets_nothing_else(
    desk: Desk, name: str, prepare: Callable[[Desk], None], state: str
) -> None:
    prepare(desk)
    before = desk.left_behind()
    said = f"{name} already has a {state} certificate; ignoring certificate request"
    desk.at_once = True
    with pytest.raises(DuplicateCertificate, match=said):
        desk.intake().receive(name, build_request(KEY, name).pem)
    assert desk.left_behind() == before


def test_duplicates_are_taken_where_they_are_allowed(desk: Desk) -> None:
    desk.intake().receive(NEW, PEM)
    desk.at_once = True
    made = desk.intake(duplicates=True).receive(NEW, PEM)
    assert made == desk.scene.authority.store.get(NEW)
    with pytest.raises(NotFound):
        desk.scene.authority.store.request(NEW)


def test_no_more_wait_than_may(desk: Desk) -> None:
    desk.intake(waiting=1).receive(NEW, PEM)
    other = build_request(KEY, "b.example.com").pem
    with pytest.raises(TooManyRequests, match="1 requests wait already"):
        desk.intake(waiting=1).receive("b.example.com", other)
    assert desk.left_behind()[0] == [NEW]


def test_of_many_at_once_one_is_signed(desk: Desk) -> None:
    desk.at_once = True
    results: list[object] = []

    def send() -> None:
        try:
            results.append(desk.intake().receive(NEW, PEM))
        except DuplicateCertificate as error:
            results.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 8
    assert sum(isinstance(r, DuplicateCertificate) for r in results) == 7
    assert len(desk.scene.authority.store.rows_of(NEW)) == 1


def test_a_revoked_name_may_send_again_once_it_is_clean(desk: Desk) -> None:
    web = Certname("web01.example.com")
    revoke_name(desk.scene.authority, web, desk.scene.clock)
    desk.scene.authority.store.remove_certificate(web)
    assert desk.intake().receive(web, build_request(KEY, web).pem) is None
