"""Clients that enrol with a Puppet CA as fast as it lets them.

Each is a process of its own: it sends a request for a certificate, which autosigning
grants, fetches the certificate, and goes on with the next name.  Requests are made
before the clock starts.
"""

from __future__ import annotations

import http.client
import multiprocessing
import re
import socket
import ssl
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

from reseal.x509 import keys
from reseal.x509.csr import build_request

API = "/puppet-ca/v1"


@dataclass(frozen=True, slots=True)
class Load:
    """What to do to a server.

    Attributes:
        address: Its IP address.
        port: TCP.
        clients: How many at once.
        enrolments: Of each, at most.
        seconds: When to stop, whatever is left.
        fresh: Each request has a connection, and a handshake, of its own.
        prefix: Of the names; no run may use those of another.
    """

    address: str
    port: int
    clients: int
    enrolments: int
    seconds: float
    fresh: bool
    prefix: str


def enrolments_a_second(load: Load) -> float:
    """Put the load on a server, and return how much of it was done in a second.

    Raises:
        RuntimeError: An answer was not 200.
    """
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(load.clients), context.Queue()
    private = keys.generate("rsa:2048")
    running = [
        context.Process(target=_client, args=(load, number, private, start, results))
        for number in range(load.clients)
    ]
    for each in running:
        each.start()
    found: list[tuple[int, float, float, str]] = [results.get() for _ in running]
    for each in running:
        each.join()
    if problems := [each[3] for each in found if each[3]]:
        raise RuntimeError(problems[0])
    begun, ended = min(each[1] for each in found), max(each[2] for each in found)
    return sum(each[0] for each in found) / (ended - begun)


def _client(
    load: Load,
    number: int,
    private: keys.PrivateKey,
    start: Barrier,
    results: multiprocessing.Queue[tuple[int, float, float, str]],
) -> None:
    signer = keys.LocalSigner(private)
    names = [f"{load.prefix}{number}x{n}.lab.test" for n in range(load.enrolments)]
    asked = [_requests(name, build_request(signer, name).pem) for name in names]
    done, problem = 0, ""
    connection = _shake_hands(load)
    start.wait()
    begun = time.monotonic()
    try:
        for request in (each for pair in asked for each in pair):
            if load.fresh:
                connection.close()
                connection = _shake_hands(load)
            _ask(connection, request)
            done += 1
            if done % 2 == 0 and time.monotonic() - begun > load.seconds:
                break
    except (OSError, RuntimeError) as error:
        problem = f"{type(error).__name__}: {error}"
    results.put((done // 2, begun, time.monotonic(), problem))


def _requests(name: str, pem: bytes) -> tuple[bytes, bytes]:
    """Return the two requests of an enrolment, as they are sent."""
    put = (
        f"PUT {API}/certificate_request/{name} HTTP/1.1\r\nHost: puppet\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(pem)}\r\n\r\n"
    )
    get = f"GET {API}/certificate/{name} HTTP/1.1\r\nHost: puppet\r\n\r\n"
    return put.encode() + pem, get.encode()


def _shake_hands(load: Load) -> ssl.SSLSocket:
    plain = socket.create_connection((load.address, load.port), timeout=900)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _CONTEXT.wrap_socket(plain)


def _ask(connection: ssl.SSLSocket, request: bytes) -> None:
    """Send a request and read its answer; a client costs as little as it can.

    What a client takes from the machine, the server that is measured has not.
    """
    connection.sendall(request)
    answer = connection.recv(65536)
    while True:
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and _is_whole(head, body):
            break
        more = connection.recv(65536)
        if not more:
            raise RuntimeError(f"cut off: {answer[:200]!r}")
        answer += more
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"{request[:60]!r}: {answer[:300]!r}")


def _is_whole(head: bytes, body: bytes) -> bool:
    """Say whether an answer's body is all there."""
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        return body.endswith(b"0\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return len(body) >= int(length[1] if length else 0)


def connect(
    address: str, port: int, pair: tuple[str, str] | None = None
) -> http.client.HTTPSConnection:
    """Shake hands; the server's certificate is not looked at.

    Args:
        address: The server's.
        port: TCP.
        pair: Files of a client's certificate and key.
    """
    context = _CONTEXT
    if pair is not None:
        context = _context()
        context.load_cert_chain(*pair)
    connection = http.client.HTTPSConnection(
        address, port, context=context, timeout=900
    )
    connection.connect()
    return connection


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


_CONTEXT = _context()
"""Made once: it is the server that is measured."""
