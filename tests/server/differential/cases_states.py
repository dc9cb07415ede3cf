"""Cases: states that are looked at and changed, one by one and many at once.

Sources: Puppet Server, `certificate_authority_core.clj` (`certificate-status`,
`handle-bulk-cert-clean`, `handle-bulk-cert-sign`); trapperkeeper-status.
"""

from __future__ import annotations

from .model import Body, Case, Scenario, ask, scenario
from .steps import (
    JSON,
    REVOKED,
    crl,
    fetch,
    revoked,
    signed,
    state,
    status,
    waits,
)

_BODIES: tuple[tuple[str, str, bytes], ...] = (
    ("empty", "nothing", b""),
    ("garbage", "no JSON", b"{"),
    ("list", "a list", b"[]"),
    ("text", "a text", b'"signed"'),
    ("null", "null", b"null"),
    ("without", "no state", b"{}"),
    ("other", "a state there is not", b'{"desired_state":"requested"}'),
    ("number", "a number as a state", b'{"desired_state":1}'),
    ("ttl-text", "a text as a life", b'{"desired_state":"signed","cert_ttl":"1h"}'),
    ("ttl-half", "half a second", b'{"desired_state":"signed","cert_ttl":0.5}'),
    ("ttl-zero", "no life", b'{"desired_state":"signed","cert_ttl":0}'),
    ("ttl-below", "less than none", b'{"desired_state":"signed","cert_ttl":-1}'),
    (
        "ttl-far",
        "more than the CA's",
        b'{"desired_state":"signed","cert_ttl":99999999999}',
    ),
)
_TYPES = (
    ("json", "JSON", "application/json"),
    ("charset", "with a charset", "application/json;charset=utf-8"),
    ("pson", "PSON", "text/pson"),
    ("pson-short", "PSON's short name", "pson"),
    ("text", "text", "text/plain"),
    ("html", "HTML", "text/html"),
    ("none", "none", ""),
)


def _type(word: str, says: str, media_type: str) -> Case:
    headers = (("Content-Type", media_type),) if media_type else ()
    text = f"{says} as the body's type"
    return state(f"type-{word}", text, b"{}", headers=headers)


def _accept(word: str, says: str, media_type: str) -> Case:
    accept = media_type or None
    return status(f"accept-{word}", f"{says} is accepted", accept=accept)


def _bulk(word: str, says: str, path: str, body: bytes, method: str = "PUT") -> Case:
    return Case(word, says, method, path, "cli", body, JSON)


def _clean(word: str, says: str, body: bytes) -> Case:
    return _bulk(word, says, "clean", body)


def _sign(word: str, says: str, body: bytes) -> Case:
    return _bulk(word, says, "sign", body, "POST")


def _named(*names: str) -> Body:
    listed = ",".join(f'"{name}"' for name in names)
    return lambda world: world.expand(f'{{"certnames":[{listed}]}}').encode()


def _statuses(word: str, says: str, query: str = "") -> Case:
    path = f"certificate_statuses/all{query}"
    return ask(word, says, path, caller="cli", headers=JSON)


_STATUS = (
    ("simple", "/status/v1/simple"),
    ("simple-ca", "/status/v1/simple/ca"),
    ("simple-server", "/status/v1/simple/server"),
    ("simple-unknown", "/status/v1/simple/nothing"),
    ("services-ca", "/status/v1/services/ca"),
    ("services-unknown", "/status/v1/services/nothing"),
    ("level", "/status/v1/services/ca?level=critical"),
    ("level-bad", "/status/v1/services/ca?level=bad"),
    ("version-bad", "/status/v1/services/ca?service_status_version=9"),
    ("status-unknown", "/status/v1/nothing"),
    ("status-mount", "/status"),
)

SCENARIOS: tuple[Scenario, ...] = (
    scenario(
        "state-unknown",
        status("get", "nobody's state"),
        status("delete", "nobody's is removed", method="DELETE"),
        state("sign", "nobody is signed"),
        state("revoke", "nobody is revoked", REVOKED),
    ),
    scenario(
        "state-waits",
        waits(),
        status("get", "it waits"),
        state("revoke", "it cannot be revoked", REVOKED),
        state("sign", "it is signed"),
        status("signed", "it is"),
        state("again", "there is nothing to sign"),
        state("revoked", "it is revoked", REVOKED),
        status("gone", "it is"),
        crl("list", "the list says so"),
        state("twice", "it is revoked again", REVOKED),
        crl("same", "the list is as before"),
        status("delete", "it is removed", method="DELETE"),
        status("after", "it is"),
        state("inventory", "revoked by its row", REVOKED),
    ),
    scenario(
        "state-delete",
        waits(),
        status("delete", "a request is removed", method="DELETE"),
        status("after", "it is"),
        ask("request", "there is none", "certificate_request/{name}"),
    ),
    scenario(
        "state-bodies",
        waits(),
        [state(word, f"{says} is sent", body) for word, says, body in _BODIES],
    ),
    scenario(
        "state-ttl",
        waits(),
        state(
            "sign", "a life of an hour", {"desired_state": "signed", "cert_ttl": 3600}
        ),
        fetch("certificate", "it has it"),
    ),
    scenario("state-types", waits(), [_type(*row) for row in _TYPES]),
    scenario("state-accept", waits(), [_accept(*row) for row in _TYPES]),
    scenario(
        "statuses",
        waits("{name}"),
        signed("signed-{name}"),
        revoked("revoked-{name}"),
        _statuses("all", "everybody's"),
        _statuses("requested", "those that wait", "?state=requested"),
        _statuses("signed", "those that are signed", "?state=signed"),
        _statuses("revoked", "those that are revoked", "?state=revoked"),
        _statuses("other", "a state there is not", "?state=other"),
        ask("key", "any key", "certificate_statuses/x", caller="cli", headers=JSON),
        ask("none", "no key", "certificate_statuses", caller="cli", headers=JSON),
        ask(
            "slash", "an empty one", "certificate_statuses/", caller="cli", headers=JSON
        ),
        ask(
            "html",
            "HTML is accepted",
            "certificate_statuses/all",
            caller="cli",
            headers=(("Accept", "text/html"),),
        ),
    ),
    scenario(
        "clean",
        signed(),
        signed("second-{name}"),
        waits("waits-{name}"),
        _clean("none", "nobody", b'{"certnames":[]}'),
        _clean("garbage", "no JSON", b"{"),
        _clean("empty", "nothing", b""),
        _clean("without", "no names", b"{}"),
        _clean("async", "later", b'{"certnames":[],"async":true}'),
        _clean("no-list", "a text for the names", b'{"certnames":"a"}'),
        _clean("numbers", "numbers for names", b'{"certnames":[1]}'),
        Case(
            "two", "two", "PUT", "clean", "cli", _named("{name}", "second-{name}"), JSON
        ),
        crl("list", "both are on the list"),
        fetch("gone", "one is gone"),
        Case(
            "missing",
            "some are not there",
            "PUT",
            "clean",
            "cli",
            _named("nobody-{name}", "none-{name}"),
            JSON,
        ),
        Case(
            "waiting",
            "one that waits",
            "PUT",
            "clean",
            "cli",
            _named("waits-{name}"),
            JSON,
        ),
        ask("kept", "its request is kept", "certificate_request/waits-{name}"),
    ),
    scenario(
        "sign-many",
        waits(),
        waits("second-{name}"),
        _sign("none", "nobody", b'{"certnames":[]}'),
        _sign("garbage", "no JSON", b"{"),
        _sign("empty", "nothing", b""),
        _sign("no-list", "a text for the names", b'{"certnames":"a"}'),
        _sign("numbers", "numbers for names", b'{"certnames":[1]}'),
        Case(
            "some",
            "one that waits and one that does not",
            "POST",
            "sign",
            "cli",
            _named("{name}", "nobody-{name}"),
            JSON,
        ),
        fetch("certificate", "it is signed"),
        versions=(8,),
    ),
    scenario(
        "status-api",
        [ask(word, f"{path} is asked", path) for word, path in _STATUS],
    ),
    scenario(
        "upload",
        Case(
            "empty", "no list", "PUT", "certificate_revocation_list", "cli", b"", JSON
        ),
        Case("text", "a text", "PUT", "certificate_revocation_list", "cli", b"x", JSON),
        crl("list", "nothing is changed"),
    ),
    scenario(
        "renewal-off",
        signed(),
        Case("node", "renewal is off", "POST", "certificate_renewal", "node:{name}"),
        Case("anonymous", "and nobody asks", "POST", "certificate_renewal"),
        versions=(8,),
    ),
    scenario(
        "renewal",
        signed(),
        Case("node", "a node renews", "POST", "certificate_renewal", "node:{name}"),
        Case("again", "with its old one", "POST", "certificate_renewal", "node:{name}"),
        Case("anonymous", "nobody asks", "POST", "certificate_renewal"),
        Case("get", "another method", "GET", "certificate_renewal", "node:{name}"),
        Case("body", "with a body", "POST", "certificate_renewal", "node:{name}", b"x"),
        on="open",
        versions=(8,),
    ),
    scenario(
        "proxy",
        signed(),
        ask("own", "a node behind a proxy", "certificate/{name}", caller="node:{name}"),
        ask("status", "it may not", "certificate_status/{name}", caller="node:{name}"),
        status("cli", "the CLI may"),
        ask(
            "failed",
            "what the proxy did not verify",
            "certificate_statuses/all",
            headers=(("X-Client-Verify", "FAILED"), ("X-Client-DN", "CN=puppet")),
        ),
        ask(
            "broken",
            "a certificate that cannot be read",
            "certificate/ca",
            headers=(("X-Client-Verify", "SUCCESS"), ("X-Client-Cert", "x")),
        ),
        on="list",
    ),
    scenario(
        "infra-list",
        crl("before", "the infrastructure's list"),
        revoked("{name}"),
        crl("node", "a node is not on it"),
        on="infra",
    ),
)
