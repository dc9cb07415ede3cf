"""What reseal answers otherwise than Puppet Server; docs/reference has the reasons.

Guarantee: an answer that no entry explains is a fault, and so is an entry of cases
that answer alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .normalise import JSON, Answer


@dataclass(frozen=True, slots=True)
class Betterment:
    """A difference that is meant.

    Attributes:
        id: As docs/reference/server-answers.md has it.
        cases: Pattern of the ids of the cases that it is seen in.
        status: Of reseal's answer in them; 0 if TLS ends the connection.
        said: What stands in reseal's answer; empty for anything.
        versions: Of Puppet Server that answer otherwise.
    """

    id: str
    cases: str
    status: int
    said: str = ""
    versions: tuple[int, ...] = (7, 8)


BETTERMENTS: tuple[Betterment, ...] = (
    Betterment("puppet-3-paths", r"legacy/(legacy-ca|legacy-list|no-mount)", 200),
    Betterment("puppet-3-paths", r"legacy/legacy-request", 404, "Could not find"),
    Betterment("short-page", r"legacy/(outside|root|mount-like)", 404, "Not Found"),
    Betterment("short-page", r"unknown/mount-case|gzip/page", 404, "Not Found"),
    Betterment(
        "short-page",
        r"method-outside/(options|patch|post|put|delete|trace)",
        404,
        "Not Found",
    ),
    Betterment("short-page", r"method-outside/head", 404),
    Betterment("climbing-path", r"normal/dots-(outside|above)", 400, "Invalid rel"),
    Betterment("slashes-merged", r"normal/slashes-first", 200),
    Betterment("path-not-text", r"subject/not-utf8", 400, "Invalid path, not UTF-8"),
    Betterment(
        "no-such-name", r"subject/(newline|null|escape|escape-end|hash)|names/null", 404
    ),
    Betterment("request-line", r"subject/very-long", 400, "8190 bytes"),
    Betterment("request-line", r"method-.*/brew", 400, "Invalid method"),
    Betterment("small-answers", r"gzip/running", 200),
    Betterment("expectation-ignored", r"asked/expect", 200),
    Betterment(
        "dates-read",
        r"(ca|list)-since/(zone-utc|no-zone|no-weekday|rfc850|asctime|lower)",
        304,
    ),
    Betterment(
        "not-modified",
        r"ca-since/(later|zone|zone-other|wrong-weekday|one-digit)|certificate/later",
        304,
        versions=(7,),
    ),
    Betterment(
        "every-fault",
        r"(request-of-ca|bad-(no-cn|null|wildcard|look-alike)|auto-cli)/put",
        400,
        "; ",
    ),
    Betterment("every-fault", r"bad-(cli|several)/sign", 409, "; "),
    Betterment("alerts", r"tls-bad/(selfsigned|foreign)", 0, "unknown_ca"),
    Betterment("alerts", r"tls-bad/imitated", 0, "decrypt_error"),
    Betterment("alerts", r"tls-revoked/refused", 0, "certificate_revoked"),
    Betterment("alerts", r"tls-expired/refused", 0, "certificate_expired"),
    Betterment(
        "unreadable-request",
        r"bad-(empty|garbage|der|two|truncated|cut-der|label)/put|auto-garbage/put",
        400,
        "request: ",
    ),
    Betterment(
        "signature-on-arrival", r"bad-(broken|other-key)/put", 400, "signing key"
    ),
    Betterment("signature-on-arrival", r"bad-(broken|other-key)/(sign|left)", 404),
    Betterment("key-policy", r"(bad-(md5|sha1)|auto-sha1)/put", 400, "can be forged"),
    Betterment("key-policy", r"bad-rsa512/put", 400, "weaker than rsa:2048"),
    Betterment("key-policy", r"bad-(md5|sha1|rsa512)/(sign|certificate)", 404),
    Betterment("key-policy", r"auto-sha1/certificate", 404),
    Betterment("other-alt-names", r"bad-alt-uri/sign", 409, "alternative names"),
    Betterment("other-alt-names", r"bad-alt-uri/certificate", 404),
    Betterment("other-alt-names", r"bad-alt-uri/left", 200),
    Betterment(
        "media-type-true",
        r"state-unknown/(get|delete)|state-(waits|delete)/after",
        404,
        "'type': 'text/plain;charset=utf-8'",
    ),
    Betterment("name-length", r"names/long", 400, "more than 251"),
    Betterment("own-name", r"names/ca", 400, "is the CA's own name"),
    Betterment("ttl-bounds", r"state-bodies/ttl-(zero|below|far)", 400, "between 1"),
    Betterment("list-of-names", r"clean/(no-list|numbers)", 400, "a list of strings"),
    Betterment(
        "list-of-names", r"sign-many/no-list", 422, "(not (sequential? ", versions=(8,)
    ),
    Betterment("refused-not-kept", r"auto-(broken|alt|ca|cli)/left", 404),
    Betterment("revoked-by-row", r"state-waits/inventory", 204, versions=(7,)),
)

EVERYWHERE: tuple[tuple[str, str, JSON, JSON], ...] = (
    ("media-type-told", "type", None, "text/plain;charset=utf-8"),
)
"""Betterments of one field, wherever they occur: id, field, theirs, ours."""


def explained(version: int, case: str, theirs: Answer, ours: Answer) -> bool:
    """Say whether two answers are the same, or differ as an entry says they do."""
    found = [
        each
        for each in BETTERMENTS
        if version in each.versions and re.fullmatch(each.cases, case)
    ]
    for _, field, old, new in EVERYWHERE:
        if "status" in theirs and theirs[field] is old and ours.get(field) == new:
            theirs = {**theirs, field: new}
    if not found:
        return theirs == ours
    return theirs != ours and any(_fits(each, ours) for each in found)


def _fits(entry: Betterment, ours: Answer) -> bool:
    return entry.status == ours.get("status", 0) and entry.said in repr(ours)
