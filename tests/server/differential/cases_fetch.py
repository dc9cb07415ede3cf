"""Cases: certificates, lists and requests that are got, and If-Modified-Since.

Sources: Puppet Server, `certificate_authority_core.clj` (`handle-get-…`,
`format-http-date`); RFC 9110 section 5.6.7 (the three forms of a date).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .model import Case, Scenario, Value, World, ask, scenario
from .steps import (
    REVOKED,
    before,
    crl,
    fetch,
    put,
    revoked,
    state,
    status,
    waits,
)

_RFC1123 = "%a, %d %b %Y %H:%M:%S"
_DAYS = {"tomorrow": 1, "yesterday": -1, "last-year": -365}


def _when(days: int, form: str = f"{_RFC1123} GMT") -> Value:
    """Return a date that is made when it is sent."""

    def make(world: World) -> str:
        return (world.now() + timedelta(days=days)).strftime(form)

    return make


def _one_digit(world: World) -> str:
    """Return a date to come whose day has one digit."""
    later = datetime(world.now().year + 1, 3, 4)
    return f"{later:%a}, 4 {later:%b %Y} 00:00:00 GMT"


_DATES: tuple[tuple[str, str, Value], ...] = (
    ("later", "a time to come", _when(1)),
    ("earlier", "a time before the file's", _when(-4000)),
    ("zone", "a numeric zone", _when(1, f"{_RFC1123} +0000")),
    ("zone-utc", "UTC for a zone", _when(1, f"{_RFC1123} UTC")),
    ("zone-other", "a zone of another place", _when(2, f"{_RFC1123} +0200")),
    ("no-zone", "no zone", _when(1, _RFC1123)),
    ("no-weekday", "no weekday", _when(1, "%d %b %Y %H:%M:%S GMT")),
    ("wrong-weekday", "a weekday that is wrong", "Mon, 01 Jan 2199 00:00:00 GMT"),
    ("one-digit", "a day of one digit", _one_digit),
    ("rfc850", "RFC 850's form", _when(1, "%A, %d-%b-%y %H:%M:%S GMT")),
    ("asctime", "C's form", _when(1, "%a %b %d %H:%M:%S %Y")),
    ("iso", "ISO 8601's form", _when(1, "%Y-%m-%dT%H:%M:%SZ")),
    ("lower", "lower case", _when(1, f"{_RFC1123} gmt")),
    ("garbage", "no date", "yesterday"),
    ("empty", "nothing", ""),
)


def _since(path: str, only: tuple[str, ...] = ()) -> list[Case]:
    return [
        ask(word, says, path, headers=(("If-Modified-Since", value),))
        for word, says, value in _DATES
        if not only or word in only
    ]


SCENARIOS: tuple[Scenario, ...] = (
    scenario(
        "ca",
        ask("bundle", "the whole bundle, the signing one first", "certificate/ca"),
        ask("again", "the same again", "certificate/ca"),
    ),
    scenario("ca-since", _since("certificate/ca")),
    scenario("list-since", _since("certificate_revocation_list/ca")),
    scenario(
        "list",
        crl("first", "every CA's list"),
        crl("same", "the same again"),
        ask(
            "prefix",
            "a longer name",
            "certificate_revocation_list/ca.pem",
        ),
    ),
    scenario(
        "certificate",
        fetch("unknown", "nobody has it"),
        waits(),
        fetch("waiting", "a request is not a certificate"),
        before(state("sign", "it is signed")),
        fetch("signed", "it has one"),
        _since("certificate/{name}", ("later", "earlier", "garbage")),
        before(state("revoke", "it is revoked", REVOKED)),
        fetch("revoked", "a revoked one is served"),
        before(status("clear", "it is removed", method="DELETE")),
        fetch("removed", "a removed one is not"),
    ),
    scenario(
        "certificate-unknown",
        [
            ask(
                "since",
                "unknown, and a date",
                "certificate/{name}",
                headers=(("If-Modified-Since", "Mon, 01 Jan 2199 00:00:00 GMT"),),
            )
        ],
    ),
    scenario(
        "request",
        ask("unknown", "no such request", "certificate_request/{name}"),
        put("put", "a request is left"),
        ask("waiting", "it is served", "certificate_request/{name}"),
        ask(
            "query",
            "an environment is ignored",
            "certificate_request/{name}?environment=production",
        ),
        before(state("sign", "it is signed")),
        ask("gone", "a signed one is gone", "certificate_request/{name}"),
    ),
    scenario(
        "request-query",
        put(
            "put",
            "a request, and an environment",
            name="{name}?environment=production&",
        ),
        fetch("absent", "it is not signed"),
        ask("waiting", "it waits", "certificate_request/{name}"),
    ),
    scenario(
        "request-methods",
        waits(),
        [
            ask(m.lower(), f"{m} of a request", "certificate_request/{name}", method=m)
            for m in ("HEAD", "POST", "PATCH", "OPTIONS", "DELETE")
        ],
    ),
    scenario(
        "request-of-signed",
        revoked(),
        ask("revoked", "a revoked one's request", "certificate_request/{name}"),
    ),
    scenario("request-of-ca", put("put", "a request for the CA's name", name="ca")),
)
