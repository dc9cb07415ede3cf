"""TLS of the listener: who it shows itself as, and whom it believes.

Guarantee: a connection is held to the CA's certificates and lists of the moment it
begins, in every process: the context is made anew when one of its files is another.
No session is resumed with a ticket, and none outlives its context, so that a
certificate that is revoked is refused at once.

Without tickets nothing follows the handshake: Ruby's HTTP client takes a ticket that
is still unread for the server's closing of the connection, and waits for more.

Sources: Mozilla, server side TLS, intermediate profile 5.7; RFC 8446 section 4.6.1;
Puppet Server's `webserver.conf` (`client-auth: want`).
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Hashable
from pathlib import Path

from reseal import files
from reseal.errors import AuthorityError, ResealError
from reseal.server.options import TlsFiles

_LOG = logging.getLogger("reseal.server")

CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-CHACHA20-POLY1305",
    )
)
"""Of TLS 1.2; those of TLS 1.3 are all good."""


_LONG = 1 << 20
"""Bytes of a revocation list that takes OpenSSL more time to sort than a handshake."""


class _Telling(ssl.SSLObject):
    """Tells the other side why its certificate is refused.

    asyncio closes a connection as soon as the handshake fails, before OpenSSL's alert
    has left.  Asking for more data first makes it send what there is; the other side
    then closes, or is cut off when the handshake's time is over.
    """

    _failed = False

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if self._failed:
                raise
            self._failed = True
            _LOG.info("a handshake was refused: %s", error.reason or error)
            raise ssl.SSLWantReadError from None


class _Context(ssl.SSLContext):
    """A context whose connections tell why they are refused."""

    sslobject_class = _Telling


def make_context(found: TlsFiles) -> ssl.SSLContext:
    """Return a context for a listener.

    Raises:
        AuthorityError: A file is missing, unreadable or does not fit the others.
    """
    context = _Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    try:
        host, key = found.hostcert, found.hostprivkey
        context.load_cert_chain(host, key, password=_no_passphrase)
        context.load_verify_locations(found.localcacert)
        context.load_verify_locations(found.hostcrl)
    except (OSError, ValueError) as error:
        names = ", ".join(map(str, _paths(found)))
        raise AuthorityError(
            f"TLS cannot be set up of {names}: {error}",
            hint="certificate and key must belong together: reseal server --check",
        ) from None
    return context


def _no_passphrase() -> str:
    """Answer OpenSSL, which would ask the terminal."""
    raise ValueError("the key is encrypted")


def _paths(found: TlsFiles) -> tuple[Path, ...]:
    return found.hostcert, found.hostprivkey, found.localcacert, found.hostcrl


def _stamp(found: TlsFiles) -> Hashable:
    return tuple(files.stamp(path) for path in _paths(found))


def _put_in_order(context: ssl.SSLContext, found: TlsFiles) -> None:
    """Have OpenSSL sort a long list now, between two ends in memory.

    It sorts at the first certificate that it looks up: in somebody's handshake, and
    with the event loop waiting.  Where the host's own certificate is not one that a
    client of this CA may show, it is sorted there as before.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.load_cert_chain(found.hostcert, found.hostprivkey, _no_passphrase)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    usual, context.sslobject_class = context.sslobject_class, ssl.SSLObject
    try:
        server = context.wrap_bio(there, back, server_side=True)
    finally:
        context.sslobject_class = usual
    ends = client.wrap_bio(back, there), server
    for end in ends * 2:
        with contextlib.suppress(ssl.SSLError):
            end.do_handshake()


class Contexts:
    """The listener's context of the moment."""

    def __init__(
        self, found: TlsFiles, ready: Callable[[], object] = lambda: None
    ) -> None:
        """Read the files for the first time.

        Args:
            found: The files.
            ready: Called when they have changed, before the next connection is taken:
                reads what its requests will need.

        Raises:
            AuthorityError: They do not fit.
        """
        self._files, self._lock, self._ready = found, threading.Lock(), ready
        self._held = _stamp(found), make_context(found)

    def held(self) -> ssl.SSLContext | None:
        """Return the context if it agrees with the files; None if it must be made.

        Takes no longer than looking at the files does.
        """
        stamp, context = self._held
        try:
            return context if _stamp(self._files) == stamp else None
        except ResealError:
            return None

    def changed(self) -> Hashable:
        """Return the stamp of files that the context does not agree with, or None."""
        try:
            stamp = _stamp(self._files)
        except ResealError:
            return None
        return stamp if stamp != self._held[0] else None

    def current(self) -> ssl.SSLContext:
        """Return a context that agrees with the files; reads them if it has to.

        While they do not fit together, as in the middle of an exchange, the last one
        that did is kept, and the next call tries again.
        """
        with self._lock:
            try:
                stamp = _stamp(self._files)
                if stamp != self._held[0]:
                    self._renew(stamp)
            except ResealError as error:
                _LOG.error("%s; the last files that fitted are kept in use", error)
            return self._held[1]

    def _renew(self, stamp: Hashable) -> None:
        """Make the context, and do what the next connection's requests wait for."""
        context = make_context(self._files)
        with contextlib.suppress(OSError, ValueError):
            if self._files.hostcrl.stat().st_size > _LONG:
                _put_in_order(context, self._files)
        self._held = stamp, context
        try:
            self._ready()
        except Exception:
            _LOG.exception("what requests need is read when they come")
