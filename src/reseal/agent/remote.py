"""A server's API, asked over HTTPS with the trust that a node has at the moment.

Guarantee: nothing is sent with the node's certificate before the server has proven
itself; what a server answers is bounded.

Sources: Puppet 8, `http/client.rb`, `ssl/ssl_provider.rb`, `ssl/verifier.rb`;
docs/reference/agent.md (what is asked in which order).
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reseal import __version__
from reseal.errors import ResealError
from reseal.wire import Request, Response
from reseal.x509 import certexts
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import common_name

CONNECT, ANSWER = 30.0, 600.0
"""Seconds to wait for a connection, and for an answer."""

LARGEST = 1 << 28
"""Bytes of the largest answer that is read."""

_VERIFY_FAILED = "certificate verify failed"


class NoConnection(ResealError):
    """There is no connection to a server, or none that can be trusted.

    Attributes:
        untrusted: The server has not proven itself.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, untrusted: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.untrusted = untrusted


class Trust(Enum):
    """How a server has to prove itself."""

    NOTHING = "nothing"
    """Not at all: to fetch the CA itself."""

    CA = "ca"
    """By the CA; its revocation lists are not there yet."""

    FULL = "full"
    """By the CA and its revocation lists."""

    MUTUAL = "mutual"
    """So, and we show our certificate."""


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """What trust is made of.

    Attributes:
        localcacert: The CA's bundle.
        hostcrl: Its revocation lists.
        hostcert: Our certificate.
        hostprivkey: Our key.
        revocation: `chain`, `leaf` or nothing.
    """

    localcacert: Path
    hostcrl: Path
    hostcert: Path
    hostprivkey: Path
    revocation: str = "chain"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        response: Status, media type, body, headers with names in lower case.
        reason: The status in words.
        url: Of the server that said it.
    """

    response: Response
    reason: str
    url: str


class Remote:
    """One server.

    Attributes:
        host: Its name, which its certificate must have.
        port: TCP.
    """

    def __init__(self, host: str, port: int, files: TrustFiles) -> None:
        self.host, self.port = host, port
        self.files = files
        self._open: http.client.HTTPSConnection | None = None
        self._trust = Trust.NOTHING

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"https://{self.host}:{self.port}"

    def ask(self, request: Request, trust: Trust, limit: float = ANSWER) -> Answer:
        """Return the answer to a request; a connection is kept while trust is.

        Args:
            request: What is asked for.
            trust: How the server has to prove itself.
            limit: Seconds for which it may keep silent.

        Raises:
            NoConnection: There is none, or the server has not proven itself.
        """
        if self._open is not None and self._trust is trust:
            try:
                return self._exchanged(self._open, request, limit)
            except (OSError, http.client.HTTPException):
                self.close()  # a server may let a kept connection go at any time
        self.close()
        self._open, self._trust = self._connected(trust), trust
        try:
            return self._exchanged(self._open, request, limit)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = _reason(error)
            raise NoConnection(f"Request to {self.url} failed: {reason}") from None

    def close(self) -> None:
        """Let go of a kept connection."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _connected(self, trust: Trust) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=CONNECT, context=self._context(trust)
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise self._untrusted(error) from None
        except OSError as error:
            reason = _reason(error)
            raise NoConnection(
                f"Connection to {self.url} failed: {reason}",
                hint="is the server's name right, and does it listen there?",
            ) from None
        return connection

    def _exchanged(
        self, connection: http.client.HTTPSConnection, request: Request, limit: float
    ) -> Answer:
        if connection.sock is not None:
            connection.sock.settimeout(limit)
        headers = {"User-Agent": f"reseal/{__version__}", **request.headers}
        body = request.body if request.method in ("PUT", "POST") else None
        connection.request(request.method, request.path, body, headers)
        found = connection.getresponse()
        data = found.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise http.client.HTTPException("the answer is too long")
        told = {name.lower(): value for name, value in found.getheaders()}
        media_type = told.get("content-type", "").partition(";")[0].strip()
        response = Response(found.status, media_type, data, told)
        return Answer(response, found.reason, self.url)

    def _context(self, trust: Trust) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if trust is Trust.NOTHING:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        files = self.files
        try:
            context.load_verify_locations(cafile=str(files.localcacert))
            if trust is not Trust.CA and files.revocation:
                context.load_verify_locations(cafile=str(files.hostcrl))
                chain = files.revocation == "chain"
                context.verify_flags |= (
                    ssl.VERIFY_CRL_CHECK_CHAIN if chain else ssl.VERIFY_CRL_CHECK_LEAF
                )
            if trust is Trust.MUTUAL:
                context.load_cert_chain(files.hostcert, files.hostprivkey)
        except (ssl.SSLError, OSError) as error:
            raise NoConnection(
                f"{files.localcacert.parent}: {_reason(error)}"
            ) from None
        return context

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> NoConnection:
        """Return the error for a server that has not proven itself."""
        if "mismatch, certificate is not valid" in error.verify_message:
            names = self._names()
            text = f"Server hostname '{self.host}' did not match server certificate"
            hint = (
                "use one of its names as server, or give it a certificate with this one"
            )
            return NoConnection(f"{text}; {names}", hint=hint, untrusted=True)
        text = f"{_VERIFY_FAILED} [{error.verify_message} for {self.host}]"
        return NoConnection(text, hint=_HINTS.get(error.verify_code), untrusted=True)

    def _names(self) -> str:
        """Return which names the server's certificate has, for a message."""
        try:
            pem = ssl.get_server_certificate((self.host, self.port), timeout=CONNECT)
            shown = load_certificate(pem.encode())
        except (OSError, ResealError):
            return "expected another name"
        listed = [common_name(shown)]
        listed += certexts.alt_names(certexts.extensions_of(shown))
        one = f"expected {listed[0]}"
        return one if len(listed) == 1 else f"expected one of {', '.join(listed)}"


_HINTS = {
    19: "the server has a certificate of another CA: was the CA replaced? Remove the "
    "node's ssldir and enrol again",
    18: "the server has a certificate of another CA: was the CA replaced?",
    20: "the server has a certificate of another CA: was the CA replaced?",
    9: "is this machine's clock right?",
    10: "renew the server's certificate; is this machine's clock right?",
    11: "is this machine's clock right?",
    12: "the revocation list has ended: have the CA publish a new one",
    3: "a CA's revocation list is missing: remove crl.pem, and it is fetched",
    23: "the server's certificate is revoked: give it a new one",
}


def _reason(error: Exception) -> str:
    """Return what the system says of a failure."""
    if isinstance(error, socket.gaierror):
        return f"getaddrinfo: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__
