"""The signing desk: only the request of the node's own key is signed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reseal.certname import Certname
from reseal.errors import ResealError, StepFailed, Unreachable
from reseal.site.authority import Answer
from reseal.site.desk import Expected, SigningDesk
from reseal.x509.certexts import text_extension
from reseal.x509.csr import build_request
from reseal.x509.keys import LocalSigner, generate, key_fingerprint

ROLE = "1.3.6.1.4.1.34380.1.1.13"
NODE = LocalSigner(generate("ec:secp256r1"))
STRANGER = LocalSigner(generate("ec:secp256r1"))
WEB = Certname("web01.lab.test")
EXPECTED = Expected(
    certname=WEB,
    key=key_fingerprint(NODE.public_key),
    alt_names=frozenset(["DNS:web01.lab.test"]),
    extensions={ROLE: "web"},
    allowed=False,
)


def request(signer: LocalSigner = NODE, role: str | None = "web", **rest: Any) -> bytes:
    extensions = [text_extension(ROLE, role)] if role is not None else []
    made = build_request(signer, WEB, extensions=extensions, **rest)
    return made.pem


@dataclass
class FakeAuthority:
    """A CA whose requests and refusals a test decides on."""

    waiting: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    signed: list[Sequence[str]] = field(default_factory=list)
    hiccups: list[ResealError] = field(default_factory=list)

    async def requests(self, names: Sequence[Certname]) -> Mapping[str, bytes]:
        return {name: self.waiting[name] for name in names if name in self.waiting}

    async def sign(self, names: Sequence[Certname]) -> Answer:
        if self.hiccups:
            raise self.hiccups.pop()
        self.signed.append(tuple(names))
        signed = frozenset(names) - self.refusals.keys()
        return Answer(signed, self.refusals, {})


def sign(ca: FakeAuthority, expected: Expected = EXPECTED, limit: float = 5) -> None:
    async def work() -> None:
        desk = SigningDesk(ca, interval=0.01)
        try:
            await desk.sign(expected, limit=limit)
        finally:
            await desk.close()

    asyncio.run(work())


def test_the_expected_request_is_signed() -> None:
    ca = FakeAuthority({WEB: request()})
    sign(ca)
    assert ca.signed == [(WEB,)]


@pytest.mark.parametrize(
    ("why", "pem", "message"),
    [
        ("another key", request(STRANGER), "its key is not the node's key"),
        ("a fact is lost", request(role=None), "was 'web' and would be absent"),
        ("a fact is forged", request(role="db"), "was 'web' and would be 'db'"),
        (
            "a name more",
            request(alt_names=("DNS:puppet",)),
            "it has other names: DNS:puppet",
        ),
        ("garbage", b"hello", "has no PEM block"),
    ],
)
def test_any_other_request_is_refused_and_nothing_signed(
    why: str, pem: bytes, message: str
) -> None:
    ca = FakeAuthority({WEB: pem})
    with pytest.raises(StepFailed, match=message) as caught:
        sign(ca)
    assert ca.signed == [], why
    assert "--allow web01.lab.test" in str(caught.value.hint)


def test_a_node_that_is_allowed_may_change_its_facts_but_not_its_key() -> None:
    ca = FakeAuthority({WEB: request(role="db")})
    sign(ca, replace(EXPECTED, allowed=True))
    assert ca.signed == [(WEB,)]
    stranger = FakeAuthority({WEB: request(STRANGER)})
    with pytest.raises(StepFailed, match="its key is not"):
        sign(stranger, replace(EXPECTED, allowed=True))


def test_what_the_ca_refuses_says_why() -> None:
    ca = FakeAuthority({WEB: request()}, refusals={WEB: "HTTP status 409: no"})
    with pytest.raises(StepFailed, match="the CA refused to sign: HTTP status 409"):
        sign(ca)


def test_a_hiccup_of_the_ca_is_outlived_and_told_only_if_it_lasts() -> None:
    ca = FakeAuthority({WEB: request()}, hiccups=[Unreachable("puppet: gone")] * 3)
    sign(ca)
    assert ca.signed == [(WEB,)]
    lasting = FakeAuthority(
        {WEB: request()}, hiccups=[Unreachable("puppet: gone")] * 99
    )
    with pytest.raises(StepFailed, match=r"web01.*puppet: gone"):
        sign(lasting, limit=0.2)
    assert lasting.signed == []


def test_a_request_that_never_comes_ends_the_wait() -> None:
    ca = FakeAuthority()
    with pytest.raises(StepFailed, match="did not reach the CA"):
        sign(ca, limit=0.1)
    assert ca.signed == []


def test_what_has_arrived_is_signed_in_one_go() -> None:
    names = [Certname(f"web{n:02}.lab.test") for n in range(20)]
    made = {str(name): build_request(NODE, name).pem for name in names}
    ca = FakeAuthority(made)

    async def work() -> None:
        desk = SigningDesk(ca, interval=0.01)
        wishes = [
            Expected(n, EXPECTED.key, frozenset([f"DNS:{n}"]), {}, False) for n in names
        ]
        await asyncio.gather(*(desk.sign(wish, limit=5) for wish in wishes))
        await desk.close()

    asyncio.run(work())
    assert ca.signed == [tuple(names)]
