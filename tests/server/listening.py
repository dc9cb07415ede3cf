"""The listener on loopback, and clients that shake hands with it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from serverscene import HOST, NODE_KEY, Scene

from reseal import files
from reseal.clock import SystemClock
from reseal.server.listener import Listener
from reseal.server.options import ListenerOptions, Options, TlsFiles
from reseal.server.tls import Contexts
from reseal.x509 import keys
from reseal.x509.certificate import to_pem

QUIET = ListenerOptions(anonymous_rate=0)
"""Options of a test that is not about rates."""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    """A listener that runs, and where it is."""

    port: int
    scene: Scene
    lines: list[str] = field(default_factory=list)

    def context(self, pair: Path | None = None) -> ssl.SSLContext:
        """Return what a client trusts, and shows if it has a certificate."""
        context = ssl.create_default_context(cafile=self.scene.cadir / "ca_crt.pem")
        if pair is not None:
            context.load_cert_chain(pair)
        return context

    def connect(self, pair: Path | None = None) -> ssl.SSLSocket:
        """Shake hands."""
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        return self.context(pair).wrap_socket(plain, server_hostname=HOST)

    def open(self, pair: Path | None = None) -> http.client.HTTPConnection:
        """Return a connection that can be asked several times."""
        found = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        found.sock = self.connect(pair)
        return found

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        pair: Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = self.open(pair)
        try:
            return send(connection, method, path, body, headers)
        finally:
            connection.close()


def send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request on a connection that stays."""
    connection.request(method, path, body, dict(headers or {}))
    found = connection.getresponse()
    told = {name.lower(): value for name, value in found.getheaders()}
    return Answer(found.status, told, found.read())


def pair_of(certificate: x509.Certificate, to: Path) -> Path:
    """Write a certificate of the tests' one key, with that key, into one file."""
    files.replace(to, to_pem(certificate) + keys.dump_private(NODE_KEY), mode=0o600)
    return to


def tls_of(scene: Scene) -> TlsFiles:
    """Return the files of a server on the scene's CA."""
    pair = pair_of(scene.certificate(HOST), scene.cadir.parent / "server.pem")
    cadir = scene.cadir
    return TlsFiles(pair, pair, cadir / "ca_crt.pem", cadir / "ca_crl.pem")


@contextmanager
def serving(
    scene: Scene, options: ListenerOptions = QUIET, *, tls: bool = True
) -> Iterator[Served]:
    """Run a listener for a `with` block."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening.setblocking(False)
    served = Served(listening.getsockname()[1], scene)
    contexts = Contexts(tls_of(scene)) if tls else None
    told: dict[str, Any] = {}
    up = threading.Event()

    async def run() -> None:
        told["loop"], told["stop"] = asyncio.get_running_loop(), asyncio.Event()
        listener = Listener(
            scene.api,
            Options(scene.options, options),
            contexts,
            SystemClock(),
            served.lines.append,
        )
        up.set()
        await listener.run(listening, told["stop"])
        await listener.end(gently=False)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        up.wait(10)
        yield served
    finally:
        told["loop"].call_soon_threadsafe(told["stop"].set)
        thread.join(30)
        listening.close()
    assert not thread.is_alive(), "the listener did not end"
