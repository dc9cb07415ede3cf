"""The contract of Puppet's CA over HTTP: paths, media types, what errors say.

Guarantee: what is built here a Puppet Server 6 to 8 takes from `puppetserver ca`
without a difference it would act on.  No sockets here.

Sources: Puppet Server, `certificate_authority_core.clj` (routes, statuses);
puppetserver-ca-cli, `utils/http_client.rb` (headers); trapperkeeper-status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

from reseal.certname import Certname
from reseal.errors import ServerRefused

JSON, TEXT = "application/json", "text/plain"
STATUS_PATH = "/status/v1/simple/ca"
DesiredState = Literal["signed", "revoked"]

_API = "/puppet-ca/v1"
_FORBIDDEN = (
    "the server lets only clients whose certificate has pp_cli_auth do this; make "
    "one while it is stopped: puppetserver ca generate --ca-client --certname NAME"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server.

    Attributes:
        method: In upper case.
        path: Absolute, percent-encoded.
        body: Empty for none.
        headers: As they are sent.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answers.

    Attributes:
        status: HTTP's.
        media_type: With its parameters, as it is sent; empty for none.
        body: Decoded of any compression.
        headers: More of them, of those that depend on what was asked.
    """

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the body says: its text, or the message in its JSON."""
        said = self.body.decode("utf-8", "replace").strip()
        if self.media_type.startswith(JSON):
            try:
                document = json.loads(said)
            except ValueError:
                return said
            if isinstance(document, dict):
                found = document.get("message") or document.get("msg")
                return str(found or said)
        return said


def state_of_service() -> Request:
    """Ask whether the CA's service is up; needs no certificate."""
    return Request("GET", STATUS_PATH, headers={"Accept": TEXT})


def put_request(certname: Certname, pem: bytes) -> Request:
    """Leave a request with the CA; 200 whether it was signed at once or waits."""
    headers = {"Accept": TEXT, "Content-Type": TEXT}
    return Request("PUT", _path("certificate_request", certname), pem, headers)


def put_state(
    certname: Certname, state: DesiredState, ttl: timedelta | None = None
) -> Request:
    """Have a request signed or a certificate revoked; 204.

    Args:
        certname: Whose.
        state: What it shall be.
        ttl: How long the certificate shall live; None leaves it to the server.
    """
    wanted: dict[str, object] = {"desired_state": state}
    if ttl is not None:
        wanted["cert_ttl"] = int(ttl.total_seconds())
    path, body = _path("certificate_status", certname), json.dumps(wanted).encode()
    return Request("PUT", path, body, {"Accept": JSON, "Content-Type": JSON})


def delete(certname: Certname) -> Request:
    """Have certificate and request removed, not revoked; 204, or 404 for neither."""
    path = _path("certificate_status", certname)
    return Request("DELETE", path, headers={"Accept": JSON})


def refusal(server: str, request: Request, response: Response) -> ServerRefused:
    """Return the error for an answer that is none of success.

    The server's own sentence is the message where it has one about the request.
    """
    said, status = response.text, response.status
    if said and status in (400, 404, 409, 422):
        return ServerRefused(said, status=status)
    hint = _FORBIDDEN if status == 403 else "see the server's log"
    what = f"{request.method} {request.path}"
    message = f"{server}: answers {status} to {what}"
    return ServerRefused(
        f"{message}: {said}" if said else message, status=status, hint=hint
    )


def _path(noun: str, certname: Certname) -> str:
    return f"{_API}/{noun}/{quote(certname, safe='')}"
