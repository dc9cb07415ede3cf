"""Whether the server is up: the status API, for tools and for load balancers.

Sources: trapperkeeper-status, `status_core.clj`; the answers of a real server.
"""

from __future__ import annotations

from reseal.errors import ResealError
from reseal.server.call import UTF8_JSON, UTF8_TEXT, Call, document, said
from reseal.wire import Response

SERVICES = ("ca", "server", "master")
VERSION = "8.7.0"
"""What Puppet Server's version would be; its tools ask for 8.4 to sign many at once."""

_LEVELS = ("critical", "info", "debug")


def get_simple(call: Call) -> Response:
    """GET simple, simple/SERVICE: `running`, or 503 and the state."""
    if call.name and call.name not in SERVICES:
        return said(404, f"not found: {call.name}")
    state = _state(call)
    return Response(200 if state == "running" else 503, UTF8_TEXT, state.encode())


def get_services(call: Call) -> Response:
    """GET services, services/SERVICE: the state in JSON."""
    if call.name and call.name not in SERVICES:
        text = f"No status information found for service {call.name}"
        return _problem(404, "service-not-found", text)
    level = next(iter(call.query.get("level", ())), "info")
    if level not in _LEVELS:
        return _problem(400, "data-invalid", f"Invalid level: :{level}")
    version = next(iter(call.query.get("service_status_version", ())), "1")
    if version != "1":
        text = f"No status function with version {version} found for service ca"
        return _problem(400, "service-status-version-not-found", text)
    state = _state(call)
    told = {
        "service_version": VERSION,
        "service_status_version": 1,
        "detail_level": level,
        "state": state,
        "status": {},
        "active_alerts": [],
    }
    status = 200 if state == "running" else 503
    if call.name:
        found: dict[str, object] = {**told, "service_name": call.name}
    else:
        found = {"ca": told, "server": told}
    return document(found, media_type=UTF8_JSON, status=status)


def _state(call: Call) -> str:
    """Say whether the CA can be loaded and has its lists."""
    try:
        call.office.authority  # noqa: B018 - loading it is the question
        call.office.own  # noqa: B018
    except ResealError:
        return "error"
    return "running"


def _problem(status: int, kind: str, text: str) -> Response:
    return document({"kind": kind, "msg": text}, media_type=UTF8_JSON, status=status)
