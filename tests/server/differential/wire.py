"""One request over TLS, with its path as it is given.

Sources: RFC 9112 (request line); RFC 8446 section 6 (alerts); Puppet Server,
documentation of `allow-header-cert-info` (X-Client-Verify, -DN, -Cert).
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import quote

from . import parsed
from .model import Credential
from .normalise import Exchange

TIMEOUT = 60
"""Seconds that a server may take for an answer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server ended the connection before it answered.

    Attributes:
        alert: What TLS's alert was called, or the name of the error.
    """

    alert: str


@dataclass(frozen=True, slots=True)
class Target:
    """A server that cases are sent to.

    Attributes:
        host: Name or address to connect to; also what messages are cleaned of.
        port: Its port.
        bundle: PEM of the CA's certificates, the signing one first, the root last.
        cli: A certificate with pp_cli_auth, and its key.
        root_key: PEM of the key of the bundle's last certificate.
        headers: Clients are known by headers, not by TLS.
        names: More names and addresses that messages are cleaned of.
    """

    host: str
    port: int
    bundle: bytes
    cli: Credential
    root_key: bytes
    headers: bool = False
    names: tuple[str, ...] = ()


def exchange(
    target: Target,
    method: str,
    path: str,
    *,
    client: Credential | None,
    headers: Iterable[tuple[str, str]],
    body: bytes,
) -> Exchange | Refused:
    """Send one request on a connection of its own and return what comes back."""
    shown = list(headers)
    if client is not None and target.headers:
        shown += identity_headers(client)
        client = None
    connection = HTTPSConnection(
        target.host, target.port, timeout=TIMEOUT, context=_context(target, client)
    )
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in shown:
            connection.putheader(name, value)
        if body or method in ("PUT", "POST", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        found = connection.getresponse()
        return Exchange(found.status, tuple(found.getheaders()), found.read())
    except ssl.SSLError as error:
        return Refused((error.reason or type(error).__name__).lower())
    except (ConnectionError, HTTPException) as error:
        return Refused(type(error).__name__)
    finally:
        connection.close()


def identity_headers(client: Credential) -> list[tuple[str, str]]:
    """Return how a proxy that ends TLS tells who the client is."""
    (certificate,) = parsed.load(client.certificate)
    return [
        ("X-Client-Verify", "SUCCESS"),
        ("X-Client-DN", f"CN={certificate.common_name}"),
        ("X-Client-Cert", quote(client.certificate.decode(), safe="")),
    ]


def _context(target: Target, client: Credential | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=target.bundle.decode())
    context.check_hostname = False
    if client is not None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "client.pem")
            path.touch(0o600)
            path.write_bytes(client.key + client.certificate)
            context.load_cert_chain(path)
    return context
