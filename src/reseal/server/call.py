"""One call of the API, and the answers that every endpoint gives.

Sources: Puppet Server, `certificate_authority_core.clj`; ring-utils (texts are
`text/plain` in UTF-8, what a resource returns is bare).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from reseal.certname import Certname
from reseal.errors import InvalidCertname
from reseal.server.caller import Caller
from reseal.server.office import Office
from reseal.store.protocol import Published
from reseal.wire import JSON, TEXT, Response

UTF8_TEXT = f"{TEXT};charset=utf-8"
UTF8_JSON = f"{JSON};charset=utf-8"
HTML = "text/html;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """What somebody asks for.

    Attributes:
        office: The CA.
        caller: Who asks; access has been granted.
        method: In upper case.
        name: What the path's pattern found; empty without one.
        query: Parameters of the request.
        headers: Names in lower case.
        body: What was sent.
    """

    office: Office
    caller: Caller
    method: str
    name: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def certname(self) -> Certname | None:
        """The name of the path if a node can have it."""
        try:
            return Certname(self.name)
        except InvalidCertname:
            return None

    def json(self) -> object:
        """Return what the body says; ValueError if it is not JSON."""
        return json.loads(self.body)


def plain(status: int, said: str) -> Response:
    """Return a text about a resource: Puppet's bare `text/plain`."""
    return Response(status, TEXT, said.encode())


def said(status: int, text: str) -> Response:
    """Return a text about the request."""
    return Response(status, UTF8_TEXT, text.encode())


def document(value: object, *, media_type: str = JSON, status: int = 200) -> Response:
    """Return a JSON document."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, media_type, body)


def published(call: Call, found: Published) -> Response:
    """Return what the CA publishes, or 304 if the caller has nothing older."""
    since = _since(call.headers.get("if-modified-since", ""))
    if since is not None and found.modified <= since:
        return Response(304, TEXT, b"")
    return Response(200, TEXT, found.pem)


def _since(header: str) -> datetime | None:
    """Return the time of an If-Modified-Since; what is malformed is no time."""
    try:
        found = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def utc(moment: datetime) -> str:
    """Return a time as Puppet's documents have it."""
    return f"{moment.replace(tzinfo=None).isoformat('T', 'seconds')}UTC"
