"""Answers as a primary server gives them, and the formats nodes take them in.

Sources: Puppet, `network/http/error.rb` (documents of errors), `network/formats.rb`;
a real Puppet Server's answers in `tests/data/primary/`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from reseal.errors import ResealError
from reseal.wire import JSON, Response

UTF8_JSON = f"{JSON};charset=utf-8"
RICH_JSON = "application/vnd.puppet.rich+json"
PSON = "text/pson"
OCTETS = "application/octet-stream"
DOCUMENTS = (JSON, PSON)
CATALOGS = (RICH_JSON, JSON, PSON)

_KINDS = {
    400: "Bad Request",
    403: "Not Authorized",
    404: "Not Found",
    406: "Not Acceptable",
    415: "Unsupported Media Type",
    500: "Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
_ISSUES = {
    403: "FAILED_AUTHORIZATION",
    404: "RESOURCE_NOT_FOUND",
    406: "UNSUPPORTED_FORMAT",
    415: "UNSUPPORTED_MEDIA_TYPE",
}
_ISSUE = "RUNTIME_ERROR"
_SENT = {
    RICH_JSON: f"{RICH_JSON}; charset=utf-8",
    JSON: UTF8_JSON,
    PSON: PSON,
    OCTETS: OCTETS,
}


class Refused(ResealError):
    """What was asked is answered with an error.

    Attributes:
        status: HTTP's.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def problem(status: int, text: str, issue: str = "") -> Response:
    """Return Puppet's document of an error; the agent prints its message.

    Args:
        status: HTTP's.
        text: What is wrong.
        issue: Puppet's word for the kind of issue, if not the status's usual one.
    """
    told = {
        "message": f"{_KINDS[status]}: {text}",
        "issue_kind": issue or _ISSUES.get(status, _ISSUE),
    }
    return Response(status, UTF8_JSON, dumped(told))


def dumped(value: object) -> bytes:
    """Return a value as JSON, as small as it can be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def accepted(accept: str, offered: Sequence[str]) -> str:
    """Return the format to answer in: the first of the caller's that there is.

    Args:
        accept: The header; nothing, or a star, takes the first that is not rich.
        offered: Media types there are.

    Raises:
        Refused: 406, there is none the caller takes.
    """
    usual = next(each for each in offered if each != RICH_JSON)
    if not accept:
        return usual
    for part in accept.split(","):
        named, _, weight = part.partition(";")
        named = named.strip().lower()
        if weight.replace(" ", "") in ("q=0", "q=0.0"):
            continue
        if named in ("*/*", "application/*"):
            return usual
        named = PSON if named == "pson" else named
        if named in offered:
            return named
    raise Refused(406, f"No supported formats are acceptable (Accept: {accept})")


def content(body: bytes, media_type: str) -> Response:
    """Return a body in one of the formats."""
    return Response(200, _SENT[media_type], body)


def document(value: object, accept: str) -> Response:
    """Return a value in the format the caller takes."""
    media_type = accepted(accept, DOCUMENTS)
    return content(dumped(value), media_type)


def read_json(body: bytes, media_type: str) -> object:
    """Return what a caller sent.

    Args:
        body: As it was sent.
        media_type: The header.

    Raises:
        Refused: 415 for another format than JSON or PSON, 400 for what is neither.
    """
    named = media_type.partition(";")[0].strip().lower()
    if named not in (*DOCUMENTS, "pson"):
        text = (
            f"Client sent a mime-type ({named}) that doesn't correspond to a format "
            "we support"
        )
        raise Refused(415, text)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The request body is invalid: {error}") from None
