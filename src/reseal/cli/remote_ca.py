"""A CA whose Puppet Server is running, changed through its HTTP API.

Each request has a connection of its own: behind TLS 1.3 a stock server leaves a
client that goes on after a PUT waiting for 30 seconds.  The server is proven by the
host's own CA certificate and CRL, and we are by the host's certificate, which must
have `pp_cli_auth`.

Sources: puppetserver-ca-cli, `utils/http_client.rb`; Puppet Server, `auth.conf`.
"""

from __future__ import annotations

import asyncio
import errno
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from yarl import URL

from reseal import files, wire
from reseal.ca.policy import refuse_own_name
from reseal.certname import Certname
from reseal.cli.hands import Allowances
from reseal.errors import AuthorityError, ResealError
from reseal.settings import PuppetSettings
from reseal.store.protocol import Store
from reseal.x509 import bundle, certexts, oids

CONNECT, ANSWER = 5.0, 120.0
"""Seconds to wait for a connection, and for an answer."""

UNNAMED = "puppet"
"""The server's name where puppet.conf names none."""

_DONE = (200, 204)


@dataclass(frozen=True, slots=True)
class Api:
    """Sends requests to one server.

    Attributes:
        server: Host and port.
        context: TLS; None proves nobody to anybody.
    """

    server: str
    context: ssl.SSLContext | None

    def send(self, request: wire.Request) -> wire.Response:
        """Return the answer to a request.

        Raises:
            AuthorityError: There is no connection, or none that can be trusted.
        """
        try:
            return asyncio.run(self._send(request))
        except aiohttp.ClientConnectorCertificateError as error:
            why = error.certificate_error
            raise AuthorityError(f"{self.server}: is not trusted: {why}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise AuthorityError(f"{self.server}: no answer: {reason}") from None

    async def _send(self, request: wire.Request) -> wire.Response:
        connector = aiohttp.TCPConnector(ssl=self.context or False, force_close=True)
        times = aiohttp.ClientTimeout(total=ANSWER, sock_connect=CONNECT)
        url = URL(f"https://{self.server}{request.path}", encoded=True)
        headers = {"User-Agent": "reseal", **request.headers}
        async with (
            aiohttp.ClientSession(connector=connector, timeout=times) as session,
            session.request(
                request.method,
                URL(url, encoded=True),
                data=request.body,
                headers=headers,
            ) as answer,
        ):
            media_type = answer.headers.get("Content-Type", "").partition(";")[0]
            return wire.Response(answer.status, media_type, await answer.read())


def is_running(settings: PuppetSettings) -> bool:
    """Say whether the CA's Puppet Server answers at `ca_server`.

    Only a refused connection means that it is stopped.  Puppet's default name, where
    nothing answers to it, is nobody's: then this machine is asked.

    Raises:
        AuthorityError: It answers, but is not ready; or whether it runs is unknown.
    """
    try:
        response = _state(_server(settings))
    except aiohttp.ClientConnectorDNSError as error:
        if settings.ca_server != UNNAMED:
            raise _unknown(_server(settings), error) from None
        response = _state(f"127.0.0.1:{settings.ca_port}")
    if response is None:
        return False
    if response.status == 503 and response.text in ("starting", "stopping", "error"):
        hint = "wait until it runs, or has stopped"
        what = f"{_server(settings)}: the CA is {response.text}"
        raise AuthorityError(what, hint=hint)
    return response.status == 200 and response.text == "running"


def _state(server: str) -> wire.Response | None:
    """Return what the server says of its CA, or None if nothing listens there.

    Raises:
        ClientConnectorDNSError: Its name has no address.
        AuthorityError: Whether it runs cannot be told.
    """
    try:
        return asyncio.run(Api(server, None)._send(wire.state_of_service()))
    except aiohttp.ClientConnectorDNSError:
        raise
    except aiohttp.ClientConnectorError as error:
        if _is_refused(error.os_error):
            return None
        raise _unknown(server, error) from None
    except aiohttp.ConnectionTimeoutError as error:
        raise _unknown(server, error) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        hint = "wait until it has started, or stop it"
        reason = str(error) or type(error).__name__
        raise AuthorityError(f"{server}: {reason}", hint=hint) from None


def _is_refused(error: OSError) -> bool:
    """Say whether a host refused on every address this machine can have.

    The errors of several addresses come as one, each number in its text.
    """
    found: set[int | None] = {
        int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))
    }
    lacking = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # no IPv6 here
    return (found or {error.errno}) - lacking == {errno.ECONNREFUSED}


def _unknown(server: str, error: Exception) -> AuthorityError:
    return AuthorityError(
        f"{server}: cannot be asked whether it runs the CA: {error}",
        hint="name the server with --ca_server, or make its name resolve",
    )


def client_context(settings: PuppetSettings) -> ssl.SSLContext:
    """Return TLS with this host's certificate, which must have `pp_cli_auth`.

    Raises:
        AuthorityError: The host's files do not allow it.
    """
    try:
        certificate = bundle.load_certificate(files.read(settings.hostcert))
        context = ssl.create_default_context(cafile=str(settings.localcacert))
        context.load_cert_chain(settings.hostcert, settings.hostprivkey)
    except (ResealError, OSError) as error:
        hint = "stop the server to work on the CA's files"
        what = f"{settings.ssldir}: cannot be used to ask the server: {error}"
        raise AuthorityError(what, hint=hint) from None
    found = certexts.find(certexts.extensions_of(certificate), oids.PP_CLI_AUTH)
    if found is None or certexts.read_text(found.value) != "true":
        hint = (
            "stop the server, or make one that has it: "
            "puppetserver ca generate --ca-client --certname NAME"
        )
        raise AuthorityError(f"{settings.hostcert}: has no pp_cli_auth", hint=hint)
    # An old root has no key id; and a chain that ends below its root, as Python 3.13
    # takes it, has a last certificate whose revocation list is nobody's.
    context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    if settings.certificate_revocation != "false" and settings.hostcrl.exists():
        context.load_verify_locations(settings.hostcrl)
        leaf_only = settings.certificate_revocation == "leaf"
        context.verify_flags |= (
            ssl.VERIFY_CRL_CHECK_LEAF if leaf_only else ssl.VERIFY_CRL_CHECK_CHAIN
        )
    return context


@dataclass(frozen=True, slots=True)
class ServedHand:
    """Changes a CA by asking its Puppet Server.

    Attributes:
        api: How to ask.
        store: The CA's files, which are only read.
        ttl: How long certificates shall live; None leaves it to the server.
    """

    api: Api
    store: Store
    ttl: timedelta | None = None

    def submit(self, certname: Certname, pem: bytes) -> None:
        self._ask(wire.put_request(certname, pem))

    def check(self, certname: Certname, allow: Allowances) -> None:
        """Leave all but the CA's own name to the server, which has its rules."""
        refuse_own_name(certname)

    def sign(self, certname: Certname, allow: Allowances) -> None:
        self._ask(wire.put_state(certname, "signed", self.ttl))

    def revoke(self, serials: Sequence[int]) -> None:
        rows = {row.serial: row.certname for row in self.store.inventory()}
        wanted = (rows.get(serial, "") for serial in self._unlisted(serials))
        for name in dict.fromkeys(filter(None, wanted)):
            self._ask(wire.put_state(Certname(name), "revoked"))
        if left := self._unlisted(serials):
            numbers = ", ".join(f"{serial:04X}" for serial in left)
            raise AuthorityError(
                f"serial {numbers}: the running server does not revoke it",
                hint="it revokes a name's current certificate only; stop it first",
            )

    def remove(self, certname: Certname) -> None:
        self._ask(wire.delete(certname), 404)

    def reinventory(self) -> None:
        hint = "stop it first"
        raise AuthorityError(f"{self.api.server}: the CA is running", hint=hint)

    def _unlisted(self, serials: Sequence[int]) -> list[int]:
        """Return those that are not on the CA's own list, the first of its file."""
        listed = bundle.load_crls(self.store.crls())[0]
        return [serial for serial in serials if listed.revoked(serial) is None]

    def _ask(self, request: wire.Request, *fine: int) -> None:
        response = self.api.send(request)
        if response.status not in (*_DONE, *fine):
            raise wire.refusal(self.api.server, request, response)


def served_hand(
    settings: PuppetSettings, store: Store, ttl: timedelta | None
) -> ServedHand:
    """Return the hand for a CA whose server was found running."""
    return ServedHand(Api(_server(settings), client_context(settings)), store, ttl)


def _server(settings: PuppetSettings) -> str:
    return f"{settings.ca_server}:{settings.ca_port}"
