"""TLS connections with one HTTP request each, told as they happened.

A refused client certificate shows in TLS 1.3 only when the answer is read, so it is.

Guarantee: `tried` is told once what we present could be loaded, so that an error
without it is of our own making, and no other side's refusal.

Sources: `site/node/probe.rb`, which does the same; RFC 8446 section 4.4.2.4;
PostgreSQL, "Message Flow: SSL Session Encryption".
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reseal import files
from reseal.errors import NotFound, ResealError
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import fingerprint

LIMIT = 20.0
"""Seconds a probe may take."""

_SHORT = 1 << 16

_POSTGRES = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""SSLRequest, PostgreSQL's wish for TLS."""


def probe_all(probes: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Carry out probes, one after the other.

    Args:
        probes: Each with `host` (the server's name), `port`, `path` and, as far as
            wanted, `connect` (the address, if it is not that name), `certificate` and
            `key` (paths: what we present), `bundle` and `crls` (paths: whom we trust;
            without `bundle` anybody), `expected` (path of the certificate the server
            should show), `say` (instead of an HTTP request), `enough` (bytes of the
            answer, which then need not be a line), `before` (what comes before TLS:
            `line`, one of the server's, or `postgres`, PostgreSQL's request for TLS).

    Returns:
        For each the SHA-256 of the certificate the server showed (`server`) and of the
        `expected` one, the first `line` of the answer and its HTTP `status`, the
        `error` with its kind, and `tried`.
    """
    return [_probe(each) for each in probes]


def _probe(probe: Mapping[str, Any]) -> dict[str, object]:
    told: dict[str, object] = {}
    try:
        if expected := probe.get("expected"):
            pem = files.read(Path(expected))
            told["expected"] = fingerprint(load_certificate(pem))
        context = context_for(probe)
        told["tried"] = True
        _ask(probe, context, told)
    except TimeoutError:
        # Nothing of it counts: not as an answer, and not as a refusal.
        return {"error": f"no answer within {LIMIT:g} seconds"}
    except (OSError, EOFError, UnicodeError, ResealError) as error:
        told["error"] = f"{type(error).__name__}: {_words(error)}"
    return told


def _words(error: Exception) -> str:
    """Return what went wrong without the places in OpenSSL's and Python's source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)


def context_for(probe: Mapping[str, Any]) -> ssl.SSLContext:
    """Return what a connection presents and trusts.

    Raises:
        NotFound: There is no such file.
        OSError: A file cannot be read or used (`ssl.SSLError` is one).
    """
    for name in ("bundle", "crls", "certificate", "key"):
        if name in probe and not Path(probe[name]).exists():
            raise NotFound(f"{probe[name]}: no such file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if bundle := probe.get("bundle"):
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(bundle)
        if crls := probe.get("crls"):
            context.load_verify_locations(crls)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if certificate := probe.get("certificate"):
        # Without a word for it, OpenSSL would ask a terminal for a passphrase.
        context.load_cert_chain(certificate, probe["key"], password=lambda: b"")
    return context


def _ask(
    probe: Mapping[str, Any], context: ssl.SSLContext, told: dict[str, object]
) -> None:
    end = time.monotonic() + LIMIT
    address = probe.get("connect") or probe["host"], probe["port"]
    with (
        _greeted(_connected(*address, end), probe.get("before", ""), end) as raw,
        context.wrap_socket(raw, server_hostname=probe["host"]) as connection,
    ):
        shown = connection.getpeercert(binary_form=True) or b""
        told["server"] = hashlib.sha256(shown).digest().hex(":").upper()
        request = (
            f"GET {probe['path']} HTTP/1.1\r\nHost: {probe['host']}\r\n"
            "Accept: text/plain, application/json\r\nConnection: close\r\n\r\n"
        )
        connection.settimeout(_left(end))
        connection.sendall(probe.get("say", request).encode())
        line = _line(connection, end, probe.get("enough", _SHORT))
        told["line"] = line.decode(errors="replace").strip()[:80]
        words = line.split(maxsplit=2)
        told["status"] = int(words[1]) if words[1:] and words[1].isdigit() else 0


def _greeted(raw: socket.socket, before: str, end: float) -> socket.socket:
    """Say and hear in clear what a protocol does before TLS; nothing if it does not.

    Raises:
        EOFError: The connection was closed, or there is no TLS.
    """
    raw.settimeout(_left(end))
    try:
        if before == "postgres":
            raw.sendall(_POSTGRES)
            if raw.recv(1) != b"S":
                raise EOFError("does not speak TLS")
        elif before == "line":
            while (byte := raw.recv(1)) != b"\n":
                raw.settimeout(_left(end))
                if not byte:
                    raise EOFError("closed without a word")
    except BaseException:
        raw.close()
        raise
    return raw


def _left(end: float) -> float:
    """Return the seconds that are left; `TimeoutError` if there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(host: str, port: int, end: float) -> socket.socket:
    """Return a connection to the first address of a name that takes one."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        found = socket.socket(family, kind, protocol)
        try:
            found.settimeout(_left(end))
            found.connect(address)
            found.settimeout(_left(end))
        except OSError as error:
            found.close()
            failure = error
        else:
            return found
    raise failure or OSError(f"{host}: has no address")


def _line(connection: ssl.SSLSocket, end: float, enough: int) -> bytes:
    """Read the first line of an answer, or what is enough of it.

    Raises:
        EOFError: The connection was closed without a word.
    """
    line = b""
    while b"\n" not in line and len(line) < enough:
        connection.settimeout(_left(end))
        if not (more := connection.recv(_SHORT)):
            break
        line += more
    if not line:
        raise EOFError("closed without an answer")
    return line.partition(b"\n")[0]
