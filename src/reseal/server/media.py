"""Which media types a resource takes and gives.

Only `certificate_status` and `certificate_statuses` look at them, and the answer's
type is the very text the caller sent.  An answer that depends on it says so.

Sources: liberator, as Puppet Server uses it (`available-media-types`,
`known-content-type?`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reseal.server.call import UTF8_JSON, Call, said
from reseal.wire import JSON, Response

_GIVEN = (JSON, "text/pson", "pson")
_NEGOTIATED = (200, 204, 404, 409)


def negotiated(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
    """Return the handler of a resource whose answers depend on what is accepted."""

    def answer(call: Call) -> Response:
        found = handler(call)
        if found.status in _NEGOTIATED and "/" in call.headers.get("accept", ""):
            return replace(found, headers={"Vary": "Accept"})
        return found

    return answer


def refuse_accept(call: Call) -> tuple[str, Response | None]:
    """Return the media type to answer with, and 406 if the caller takes none."""
    accept = call.headers.get("accept", "")
    if not accept:
        return UTF8_JSON, None
    offered = [part.partition(";")[0].strip() for part in accept.split(",")]
    if any(each in (*_GIVEN, "*/*", "application/*") for each in offered):
        if len(offered) == 1 and offered[0] in _GIVEN:
            charset = "utf-8" if offered[0] == JSON else "UTF-8"
            return f"{offered[0]};charset={charset}", None
        return UTF8_JSON, None
    return UTF8_JSON, said(406, "No acceptable resource available.")


def refuse_content(call: Call) -> Response | None:
    """Return 415 if a body is of a type that the resource does not read."""
    sent = call.headers.get("content-type", "").partition(";")[0].strip()
    if not sent or sent in _GIVEN:
        return None
    return said(415, "Unsupported media type.")
