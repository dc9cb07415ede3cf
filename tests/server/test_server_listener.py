"""Over real sockets: who gets in, what is bounded, and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives import serialization
from listening import QUIET, Served, pair_of, send, serving, tls_of
from serverscene import HOST, NEW, NODE, NODE_KEY, WEB, Scene, make_authority

from reseal import files
from reseal.ca.profile import Profile
from reseal.ca.revoke import revoke
from reseal.errors import ResealError
from reseal.server import door, tls
from reseal.server.caller import Caller
from reseal.server.options import ListenerOptions, TlsFiles
from reseal.server.tls import Contexts
from reseal.wire import Request, Response
from reseal.x509 import keys
from reseal.x509.csr import build_request

CA = "/puppet-ca/v1"
STATUS = f"{CA}/certificate_status/{WEB}"


def revoke_web(scene: Scene) -> None:
    serial = scene.certificate(WEB).serial_number
    issuer, store = scene.authority.issuer, scene.office.store
    revoke([serial], issuer=issuer, store=store, clock=scene.clock)


def refused(served: Served, pair: Path) -> str:
    """Return why a client's certificate was refused in the handshake."""
    with pytest.raises((ssl.SSLError, ConnectionError)) as found:
        served.ask("GET", f"{CA}/certificate/ca", pair=pair)
    return str(found.value)


HALF = (
    b"",
    b"GET /puppet-ca/v1/certificate/ca HTTP/1.1\r\nHost:",
    b"PUT /puppet-ca/v1/certificate_request/x HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 1000\r\n\r\n-----BEGIN",
)


@contextmanager
def until_closed() -> Iterator[None]:
    """Take the end of a connection, in whatever way it comes, for what it is."""
    with suppress(ConnectionError, ssl.SSLError):
        yield


def test_anybody_may_fetch_what_is_published(today: Scene) -> None:
    with serving(today) as served:
        answer = served.ask("GET", f"{CA}/certificate/ca")
        assert answer.status == 200
        assert answer.body == (today.cadir / "ca_crt.pem").read_bytes()
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers["x-puppet-version"]
        assert served.ask("GET", STATUS).status == 403
        assert served.ask("GET", "/else").status == 404


def test_only_a_small_file_for_anybody_is_answered_without_a_thread(
    today: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, asked = pair_of(today.certificate(WEB), tmp_path / "node.pem"), []
    answer = today.api.answer

    def told(request: Request, caller: Caller) -> Response:
        asked.append(threading.current_thread().name.partition("_")[0])
        return answer(request, caller)

    monkeypatch.setattr(today.api, "answer", told)
    with serving(today) as served:
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        assert served.ask("GET", f"{CA}/certificate/ca", pair=node).status == 200
        assert served.ask("GET", f"{CA}/certificate_revocation_list/ca").status == 200
        assert served.ask("PUT", f"{CA}/certificate_request/{NEW}", b"x").status == 400
    assert asked[0].startswith("Thread-"), "the loop's own"
    assert asked[1:] == ["answering", "answering", "signing"]


def test_a_certificate_proves_a_name(today: Scene, tmp_path: Path) -> None:
    cli = pair_of(today.certificate(HOST), tmp_path / "cli.pem")
    node = pair_of(today.certificate(WEB), tmp_path / "node.pem")
    with serving(today) as served:
        assert served.ask("GET", STATUS, pair=cli).status == 200
        assert served.ask("GET", STATUS, pair=node).status == 403
    assert [line.split()[2] for line in served.lines] == [HOST, WEB]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_without_tickets(
    today: Scene, version: ssl.TLSVersion
) -> None:
    with serving(today) as served:
        context = served.context()
        context.minimum_version = context.maximum_version = version
        plain = socket.create_connection(("127.0.0.1", served.port), 10)
        with context.wrap_socket(plain, server_hostname=HOST) as wrapped:
            assert (
                wrapped.version()
                == {
                    ssl.TLSVersion.TLSv1_2: "TLSv1.2",
                    ssl.TLSVersion.TLSv1_3: "TLSv1.3",
                }[version]
            )
            wrapped.sendall(b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wrapped.recv(100).startswith(b"HTTP/1.1 404")
            assert wrapped.session is None or not wrapped.session.has_ticket


@pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL")
def test_older_tls_is_refused(today: Scene) -> None:
    with serving(today) as served:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
        plain = socket.create_connection(("127.0.0.1", served.port), 10)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname=HOST)


def test_a_certificate_of_another_ca_with_the_same_names_is_refused(
    today: Scene, tmp_path: Path
) -> None:
    other = Scene(
        make_authority(tmp_path / "other", today.clock.time), today.clock, today.options
    )
    for name in (HOST, WEB):
        pair = pair_of(other.certificate(name), tmp_path / f"{name}.pem")
        with serving(today) as served:
            assert "UNKNOWN_CA" in refused(served, pair).upper()
            assert served.lines == []


def test_an_expired_certificate_is_refused(today: Scene, tmp_path: Path) -> None:
    found = today.issue("old.example.com", Profile(timedelta(seconds=1)))
    time.sleep(1.1)
    with serving(today) as served:
        pair = pair_of(found, tmp_path / "old.pem")
        assert "EXPIRED" in refused(served, pair).upper()


@pytest.mark.parametrize("long", [0, 1 << 20])
def test_a_revocation_holds_for_the_next_connection(
    today: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: int
) -> None:
    """Whether the list was put in order beforehand or not."""
    monkeypatch.setattr(tls, "_LONG", long)
    pair = pair_of(today.certificate(WEB), tmp_path / "node.pem")
    path = f"{CA}/certificate/{WEB}"
    with serving(today) as served:
        kept = served.open(pair)
        assert send(kept, "GET", path).status == 200
        revoke_web(today)
        assert "REVOKED" in refused(served, pair).upper()
        assert served.ask("GET", path).status == 200
        assert send(kept, "GET", path).status == 403
        kept.close()


@pytest.mark.parametrize(("revoked", "good"), [(WEB, 1), (HOST, 0)])
def test_a_long_list_is_put_in_order_and_nobody_is_told(
    today: Scene,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    revoked: str,
    good: int,
) -> None:
    """Be it that the server's own certificate is on it."""
    shaken: list[int] = []
    put = tls._put_in_order

    def put_in_order(context: ssl.SSLContext, found: TlsFiles) -> None:
        put(context, found)
        shaken.append(context.session_stats()["accept_good"])
        assert context.sslobject_class is tls._Telling

    monkeypatch.setattr(tls, "_LONG", 0)
    monkeypatch.setattr(tls, "_put_in_order", put_in_order)
    caplog.set_level("INFO", "reseal.server")
    with serving(today) as served:
        issuer, store = today.authority.issuer, today.office.store
        serial = today.certificate(revoked).serial_number
        revoke([serial], issuer=issuer, store=store, clock=today.clock)
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        assert shaken == [good]
        assert "refused" not in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_what_requests_need_is_read_before_the_next_connection(
    today: Scene, fails: bool
) -> None:
    read: list[bool] = []

    def ready() -> None:
        read.append(True)
        if fails:
            raise ResealError("not now")

    contexts = Contexts(tls_of(today), ready)
    first = contexts.current()
    assert (contexts.held(), read) == (first, [])
    revoke_web(today)
    assert contexts.held() is None
    assert contexts.current() is not first
    assert read == [True]
    assert contexts.held() is contexts.current()


def test_a_list_that_has_settled_is_read_before_anybody_connects(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not while it changes, once for each state of the files, whatever happens."""

    class Changing:
        """Files that are found in one state after the other."""

        def __init__(self) -> None:
            self.states = iter([1, 2, 3, 3, 3, None, 4, 4, 5, 5])
            self.made: list[int | None] = []
            self.state: int | None = None

        def changed(self) -> int | None:
            try:
                self.state = next(self.states)
            except StopIteration:
                raise asyncio.CancelledError from None
            return self.state

        def current(self) -> None:
            self.made.append(self.state)
            if self.state == 4:
                raise RuntimeError("no thread")

    monkeypatch.setattr(door, "_SETTLED", 0.0)
    files_, limits = Changing(), ListenerOptions()
    entrance = door.Door(limits, None, asyncio.Protocol, None)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(entrance._keep_fresh(cast(Contexts, files_)))
    assert files_.made == [3, 4, 5]
    assert "no thread" in caplog.text


def test_files_that_do_not_fit_together_are_not_taken(
    today: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(today) as served:
        pair = today.cadir.parent / "server.pem"
        whole = pair.read_bytes()
        files.replace(pair, whole[:200], mode=0o600)
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        assert "the last files that fitted are kept in use" in caplog.text
        pair.unlink()
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        files.replace(pair, whole, mode=0o600)
        caplog.clear()
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        assert caplog.text == ""


def test_a_request_is_signed_over_a_kept_connection(today: Scene) -> None:
    today.use(autosign="true")
    pem = build_request(NODE, NEW).pem
    with serving(today) as served:
        kept = served.open()
        put = send(kept, "PUT", f"{CA}/certificate_request/{NEW}", pem)
        assert (put.status, put.body) == (200, b"")
        assert put.headers["content-length"] == "0"
        got = send(kept, "GET", f"{CA}/certificate/{NEW}")
        assert got.body == (today.cadir / f"signed/{NEW}.pem").read_bytes()
        kept.close()


@pytest.mark.parametrize(
    ("offered", "packed"),
    [
        ("gzip", True),
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", True),
        ("deflate", False),
        ("gzip;q=0", False),
        ("", False),
    ],
)
def test_answers_are_packed_for_who_offers_it(
    today: Scene, offered: str, packed: bool
) -> None:
    with serving(today) as served:
        headers = {"Accept-Encoding": offered}
        answer = served.ask("GET", f"{CA}/certificate/ca", headers=headers)
    expected = (today.cadir / "ca_crt.pem").read_bytes()
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    body = gzip.decompress(answer.body) if packed else answer.body
    assert body == expected


def test_a_body_over_the_limit_is_not_read(today: Scene) -> None:
    options = replace(QUIET, body_limit=10_000)
    path = f"{CA}/certificate_request/{NEW}"
    with serving(today, options) as served:
        answer = served.ask("PUT", path, b"x" * 10_001)
        assert answer.status == 413
        assert answer.body == b"The body is over the limit of 10000 bytes"
        chunked = served.open()
        chunked.request(
            "PUT",
            path,
            iter([b"x" * 6000] * 2),
            {"Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        assert chunked.getresponse().status == 413
        chunked.close()
        assert served.ask("PUT", path, b"x" * 10_000).status == 400
    assert not (today.cadir / f"requests/{NEW}.pem").exists()


def test_callers_without_a_certificate_are_held_to_a_rate(
    today: Scene, tmp_path: Path
) -> None:
    cli = pair_of(today.certificate(HOST), tmp_path / "cli.pem")
    with serving(today, replace(QUIET, anonymous_rate=5)) as served:
        path = f"{CA}/certificate/ca"
        found = [served.ask("GET", path) for _ in range(7)]
        assert [each.status for each in found] == [200] * 5 + [429] * 2
        assert found[-1].headers["retry-after"] == "60"
        assert served.ask("GET", path, pair=cli).status == 200


def test_an_expectation_is_met_before_the_body_is_sent(today: Scene) -> None:
    pem = build_request(NODE, NEW).pem
    with serving(today) as served, served.connect() as connection:
        head = (
            f"PUT {CA}/certificate_request/{NEW} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(pem)}\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(pem)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\r\n\r\n",
        b"GET  /  HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"b" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_400_and_no_line_in_the_log(
    today: Scene, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(today) as served, served.connect() as connection:
        connection.sendall(sent)
        assert connection.recv(100).split()[1] == b"400"
        with until_closed():
            while connection.recv(1000):
                pass
        assert caplog.text == ""
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200


@pytest.mark.parametrize("sent", HALF)
def test_half_a_request_is_cut_off(today: Scene, sent: bytes) -> None:
    options = replace(QUIET, request_timeout=timedelta(seconds=0.5))
    with serving(today, options) as served, served.connect() as connection:
        connection.sendall(sent)
        begun = time.monotonic()
        with until_closed():
            while connection.recv(100):
                pass
        assert 0.2 < time.monotonic() - begun < 5


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_a_broken_body_ends_the_connection(today: Scene, pause: float) -> None:
    options = replace(QUIET, request_timeout=timedelta(seconds=0.8))
    with serving(today, options) as served, served.connect() as connection:
        connection.sendall(
            f"PUT {CA}/certificate_request/{NEW} HTTP/1.1\r\nHost: x\r\n"
            "Transfer-Encoding: chunked\r\n\r\n5\r\n-----\r\n".encode()
        )
        time.sleep(pause)
        connection.sendall(b"zz\r\n")
        begun = time.monotonic()
        with until_closed():
            while connection.recv(100):
                pass
        assert time.monotonic() - begun < 5
    assert not (today.cadir / f"requests/{NEW}.pem").exists()


def test_a_trickle_is_cut_off(today: Scene) -> None:
    options = replace(QUIET, request_timeout=timedelta(seconds=0.6))
    with serving(today, options) as served, served.connect() as connection:
        begun = time.monotonic()
        with until_closed():
            for _ in range(100):
                connection.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - begun < 5


def test_a_connection_that_rests_too_long_is_closed(today: Scene) -> None:
    options = replace(QUIET, idle_timeout=timedelta(seconds=0.5))
    with serving(today, options) as served:
        kept = served.open()
        assert send(kept, "GET", "/else").status == 404
        begun = time.monotonic()
        with until_closed():
            while kept.sock.recv(100):
                pass
        assert 0.2 < time.monotonic() - begun < 5


def test_slow_callers_hold_nobody_up(today: Scene) -> None:
    with serving(today, replace(QUIET, connections=5)) as served:
        slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(4)]
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        for each in slow:
            each.close()
        slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(4)]
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        for each in slow:
            each.close()


def test_a_thousand_connections_are_answered(today: Scene) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(limit, 4096)), most))
    with serving(today) as served:
        opened = [served.connect() for _ in range(1000)]
        for each in opened:
            each.sendall(
                b"GET /puppet-ca/v1/certificate/ca HTTP/1.1\r\nHost: x\r\n\r\n"
            )
        for each in opened:
            assert each.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        for each in opened:
            each.close()


def test_what_is_in_flight_is_answered_before_the_end(
    today: Scene, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text("#!/bin/sh\nsleep 1\n")
    policy.chmod(0o755)
    today.use(autosign=str(policy))
    pem = build_request(NODE, NEW).pem
    answers: list[int] = []

    def enrol(served: Served) -> None:
        answer = served.ask("PUT", f"{CA}/certificate_request/{NEW}", pem)
        assert answer.headers["connection"] == "close"
        answers.append(answer.status)

    with serving(today) as served:
        idle = served.open()
        assert send(idle, "GET", "/else").status == 404
        asking = threading.Thread(target=enrol, args=(served,))
        asking.start()
        time.sleep(0.4)
    asking.join(10)
    assert answers == [200]
    assert (today.cadir / f"signed/{NEW}.pem").exists()
    with until_closed():
        assert idle.sock.recv(100) == b""


@pytest.mark.parametrize("wrong", ["encrypted", "other", "missing"])
def test_a_key_that_cannot_be_used_is_an_error_that_names_the_files(
    today: Scene, wrong: str
) -> None:
    found = tls_of(today)
    key = today.cadir.parent / "key.pem"
    if wrong == "encrypted":
        kind = serialization.BestAvailableEncryption(b"secret")
        key.write_bytes(
            NODE_KEY.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind
            )
        )
    elif wrong == "other":
        key.write_bytes(keys.dump_private(keys.generate("ec:secp256r1")))
    with pytest.raises(ResealError) as error:
        Contexts(replace(found, hostprivkey=key))
    assert str(key) in str(error.value)
