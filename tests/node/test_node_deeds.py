"""Keys, certificates, runs and commands of a node, and what it is asked over TLS.

Sources: docs/reference/node.md.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from reseal import files
from reseal.ca.newca import Leaf, NewAuthority
from reseal.ca.setup import new_authority
from reseal.certname import Certname
from reseal.errors import ResealError, UsageError
from reseal.node import launch as launches
from reseal.node import probe as probes
from reseal.node.verbs import VERBS, carry_out
from reseal.site.check import REFUSALS
from reseal.site.survey_complaints import CONTRACT
from reseal.x509 import keys
from reseal.x509.bundle import load_certificate
from reseal.x509.certificate import fingerprint, to_pem
from reseal.x509.signatures import scheme_of, verify


def ask(verb: str, *args: object, stdin: bytes = b"") -> Any:
    """Ask a node and return what its JSON says."""
    words = [str(each) for each in args]
    return json.loads(json.dumps(carry_out(verb, words, lambda: stdin)))


# -- how it is asked ------------------------------------------------------------------


def test_the_survey_knows_this_contract() -> None:
    assert json.dumps(carry_out("contract", [], bytes)) == CONTRACT


def test_every_script_of_the_site_has_its_verb() -> None:
    source = Path(launches.__file__).parents[1] / "site/node"
    scripts = {path.stem for path in source.glob("*.rb")}
    assert scripts == VERBS.keys() - {"contract", "running"}


@pytest.mark.parametrize(
    ("verb", "args", "said"),
    [
        ("no-such", [], "no-such: no verb of reseal node"),
        ("backup", [], "reseal node backup: cannot be asked so: IndexError"),
        ("identity", ["key"], "cannot be asked so: ValueError"),
        ("make_keys", ["/tmp", "/tmp/k=many"], "cannot be asked so: ValueError"),
        ("stage", ["/nonexistent/x", "0:0"], "cannot be asked so: JSONDecodeError"),
        ("launch", ["/nonexistent/log", "/tmp/no.pid", "true"], "/nonexistent/log: no"),
    ],
)
def test_a_wrong_question_is_told(verb: str, args: list[str], said: str) -> None:
    with pytest.raises(ResealError, match=said):
        carry_out(verb, args, bytes)


def test_the_program_answers_in_json_and_is_not_shown() -> None:
    program = [sys.executable, "-m", "reseal"]
    done = subprocess.run(
        [*program, "node", "public_keys", "--", "/none", ""],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == '["missing"]\n'
    told = subprocess.run([*program, "--help"], capture_output=True, check=True)
    assert b" node " not in told.stdout
    wrong = [
        subprocess.run([*program, "node", "x", *more], capture_output=True, check=False)
        for more in ((), ("--",))
    ]
    assert {each.returncode for each in wrong} == {2}
    assert wrong[0].stderr == wrong[1].stderr
    assert wrong[0].stderr.startswith(b"reseal: error: x: no verb of reseal node\n")


def test_a_deed_does_not_load_the_command_line() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "reseal", "node"]
    done = subprocess.run([*command, "contract", "--"], capture_output=True, check=True)
    assert b"reseal.node.verbs" in done.stderr
    assert b"typer" not in done.stderr


# -- keys -----------------------------------------------------------------------------


def test_keys_are_made_once_and_tell_their_public_halves(tmp_path: Path) -> None:
    one, two = tmp_path / "ca.pem", tmp_path / "a=b.pem"
    two.touch(mode=0o666)
    made = ask("make_keys", tmp_path, f"{one}=2048", f"{two}=2048")
    assert made.keys() == {str(one), str(two)}
    for path in (one, two):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = keys.load_private(path.read_bytes())
        assert keys.dump_public(key.public_key()).decode() == made[str(path)]
    assert ask("make_keys", tmp_path, f"{one}=2048", f"{two}=2048") == made
    with pytest.raises(ResealError, match="rsa:512"):
        ask("make_keys", tmp_path, f"{tmp_path}/small=512")


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp256r1"])
def test_a_signature_is_made_where_the_key_is(tmp_path: Path, kind: str) -> None:
    key = keys.generate(kind)
    path = tmp_path / "key.pem"
    path.write_bytes(keys.dump_private(key))
    answer = ask("sign", path, stdin=base64.b64encode(b"to be signed"))
    signature = base64.b64decode(answer["signature"])
    scheme = keys.signature_algorithm(key.public_key())

    assert verify(key.public_key(), scheme_of(scheme), signature, b"to be signed")


def test_a_key_is_told_by_its_public_half(tmp_path: Path) -> None:
    key = keys.generate("ec:secp256r1")
    half = base64.b64encode(keys.public_info(key.public_key())).decode()
    word = tmp_path / "password"
    word.write_text("open sesame\n")
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame")
    )
    strange = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    texts = {
        "plain": keys.dump_private(key),
        "locked": locked,
        "public": keys.dump_public(key.public_key()),
        "noise": b"\xff\x00 no key",
        "strange": strange,
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)

    def told(name: str, passfile: object = "") -> str:
        (answer,) = ask("public_keys", tmp_path / name, passfile)
        return str(answer)

    assert told("plain") == f"plain {half}"
    assert told("locked", word) == f"encrypted {half}"
    assert told("locked") == told("locked", tmp_path / "plain") == "locked"
    assert told("public") == told("noise") == "broken not a private key"
    assert told("strange").startswith("broken ")
    assert told("none") == "missing"
    assert "PRIVATE" not in json.dumps([told(name) for name in texts])


# -- what an agent has, and what it did -----------------------------------------------


def test_key_and_certificate_are_told_as_they_come(tmp_path: Path, made: Made) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    nothing = {"key": None, "certificate": None}
    assert ask("identity", key, certificate, 0, "key") == nothing
    text = made.key.read_bytes()
    key.write_bytes(text[:100])
    assert ask("identity", key, certificate, 0, "key") == nothing

    def later() -> None:
        time.sleep(0.3)
        key.write_bytes(text)
        certificate.write_bytes(made.certificate.read_bytes()[:200])
        time.sleep(0.3)
        certificate.write_bytes(made.certificate.read_bytes())

    thread = threading.Thread(target=later)
    thread.start()
    answer = ask("identity", key, certificate, 30, "certificate")
    thread.join()
    public = keys.load_private(text).public_key()
    assert answer == {
        "key": keys.key_fingerprint(public),
        "certificate": made.certificate.read_text(),
    }


@pytest.mark.parametrize(
    ("summary", "report", "answer"),
    [
        (
            "version: {config: 17}\nresources: {total: 3, failed: 1, "
            "failed_to_restart: 1}",
            "cached_catalog_status: not_used",
            {"version": "17", "total": 3, "failed": 2, "cached": False},
        ),
        (
            "version: {config: x}\nresources: {total: 3}",
            "a: b\ncached_catalog_status: 'on_failure'",
            {"version": "x", "total": 3, "failed": 0, "cached": True},
        ),
        ("version:", "", {"version": None, "total": 0, "failed": 0, "cached": False}),
        ("[]", "x", {"version": None, "total": 0, "failed": 0, "cached": False}),
    ],
)
def test_a_run_that_began_after_the_mark_is_told(
    tmp_path: Path, summary: str, report: str, answer: dict[str, object]
) -> None:
    names = [tmp_path / name for name in ("summary", "report", "mark")]
    for path in names:
        path.write_text("old")
    os.utime(names[0], (1, 1))
    os.utime(names[1], (1, 1))
    assert ask("run", *names, 0) == {"ended": False}
    os.utime(names[2], (2, 2))
    names[0].write_text(summary)
    names[1].write_text(report)
    assert ask("run", *names, 5) == {"ended": True, **answer}


# -- commands in the background -------------------------------------------------------


@contextmanager
def in_background(tmp_path: Path, *command: str) -> Iterator[tuple[Path, Path, int]]:
    log, pid_file = tmp_path / "log", tmp_path / "pid"
    pid = ask("launch", log, pid_file, *command)["pid"]
    try:
        yield log, pid_file, pid
    finally:
        ask("launch", log, pid_file)


def test_a_command_runs_once_and_is_ended(tmp_path: Path) -> None:
    script = "echo begun; umask; exec sleep 100"
    with in_background(tmp_path, "sh", "-c", script) as (log, pid_file, pid):
        end = time.monotonic() + 10
        while "begun" not in log.read_text() and time.monotonic() < end:
            time.sleep(0.02)
        assert log.read_text() == "begun\n0077\n"
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert os.getsid(pid) == pid
        assert ask("running", pid_file) == {"pid": pid}
        again = ask("launch", log, pid_file, "sh", "-c", script)
        assert again == {"pid": pid, "new": False}
        assert ask("launch", log, pid_file) == {"pid": pid, "ended": True}
        assert ask("launch", log, pid_file) == {"pid": 0, "ended": False}
        assert not pid_file.exists()
        assert ask("running", pid_file) == {"pid": None}


def test_what_does_not_end_by_itself_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "LIMIT", 0.3)
    script = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    with in_background(tmp_path, "sh", "-c", script) as (log, pid_file, pid):
        end = time.monotonic() + 10
        while not log.read_text() and time.monotonic() < end:
            time.sleep(0.02)
        assert ask("launch", log, pid_file)["ended"]
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_status == signal.SIGKILL


def test_a_stranger_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    for text in (f"{os.getpid()}\n1\n", f"{os.getpid()}\n", "", "0\n0\n", "\xff", "x"):
        pid_file.write_text(text, encoding="latin-1")
        assert ask("launch", tmp_path / "log", pid_file)["ended"] is False


# -- over TLS -------------------------------------------------------------------------


@dataclass
class Made:
    """A CA, and a server's files of it.

    Attributes:
        bundle, crls: Of the CA.
        certificate, key: Of `localhost`.
    """

    authority: NewAuthority
    bundle: Path
    crls: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"), "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("other"), "two")


def make(here: Path, name: str) -> Made:
    key, ca_key = keys.generate("rsa:2048"), keys.generate("rsa:2048")
    authority = new_authority(
        shape="single",
        ruby=False,
        ca=(f"Puppet CA: {name}", keys.LocalSigner(ca_key)),
        root=None,
        server=Leaf(Certname("localhost"), key.public_key()),
        ttl=timedelta(days=30),
        now=datetime.now(UTC) - timedelta(hours=1),
    )
    assert authority.server_certificate is not None
    found = Made(authority, *(here / n for n in ("ca", "crl", "cert", "key")))
    found.bundle.write_bytes(authority.bundle_pem)
    found.crls.write_bytes(authority.crl_pem)
    found.certificate.write_bytes(to_pem(authority.server_certificate))
    found.key.write_bytes(keys.dump_private(key))
    return found


@contextmanager
def serving(made: Made) -> Iterator[tuple[int, list[str]]]:
    """A server that wants certificates of the CA; its port, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200)

        def do_PUT(self) -> None:
            length = int(self.headers["Content-Length"])
            asked.append(self.rfile.read(length).decode())
            self._answer(404 if "missing" in self.path else 204)

        def _answer(self, status: int) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.load_verify_locations(made.bundle)
    context.verify_mode = ssl.CERT_REQUIRED

    class Server(ThreadingHTTPServer):
        def finish_request(self, request: Any, client_address: Any) -> None:
            # In the connection's own thread: a refusal is no business of others.
            try:
                wrapped = context.wrap_socket(request, server_side=True)
            except OSError:
                return
            super().finish_request(wrapped, client_address)
            wrapped.close()

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def test_a_probe_tells_who_answers_and_who_refuses(made: Made, other: Made) -> None:
    ours = {"certificate": str(made.certificate), "key": str(made.key)}
    theirs = {"certificate": str(other.certificate), "key": str(other.key)}
    trust = {"bundle": str(made.bundle), "crls": str(made.crls)}
    with serving(made) as (port, _):
        way = {"host": "localhost", "connect": "127.0.0.1", "port": port, "path": "/x"}
        good, refused, silent, untrusted, misnamed, broken = ask(
            "probe",
            stdin=json.dumps(
                [
                    way | ours | trust | {"expected": str(made.certificate)},
                    way | theirs,
                    way,
                    way | ours | trust | {"bundle": str(other.bundle)},
                    way | ours | trust | {"host": "elsewhere"},
                    way | ours | {"key": str(other.key)},
                ]
            ).encode(),
        )
    shown = fingerprint(load_certificate(files.read(made.certificate)))
    told = {"line": "HTTP/1.0 200 OK", "status": 200}
    assert good == {"server": shown, "expected": shown, "tried": True, **told}
    for each in (refused, silent):
        assert each["tried"]
        assert str(each["error"]).startswith(REFUSALS)
        assert each["server"] == shown
    assert "self-signed" in untrusted["error"] or "verify failed" in untrusted["error"]
    assert "server" not in untrusted
    assert "elsewhere" in misnamed["error"]
    assert "tried" not in broken
    assert "mismatch" in broken["error"].lower()


@contextmanager
def greeting(made: Made, before: str, answer: bytes) -> Iterator[int]:
    """A server that says something in clear before TLS, answers once, and stays."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    gone = threading.Event()

    def serve(raw: socket.socket) -> None:
        connection, _ = raw.accept()
        with connection:
            if before == "line":
                connection.sendall(b"INFO {}\r\n")
            elif before == "postgres":
                asked = connection.recv(8)
                yes = asked == bytes.fromhex("0000000804d2162f")
                connection.sendall(b"S" if yes and answer else b"N")
            if answer or before == "line":
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(100)
                    tls.sendall(answer)
                    gone.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as raw:
        thread = threading.Thread(target=serve, args=(raw,))
        thread.start()
        try:
            yield raw.getsockname()[1]
        finally:
            gone.set()
            thread.join()


@pytest.mark.parametrize(
    ("before", "answer", "line"),
    [("line", b"PONG\r\n", "PONG"), ("postgres", b"R\0\0\0\x08", "R")],
)
def test_what_comes_in_clear_before_tls(
    made: Made, before: str, answer: bytes, line: str
) -> None:
    with greeting(made, before, answer) as port:
        told = probed(port, before=before, say="PING", enough=len(line))
    assert "error" not in told
    assert str(told["line"]).startswith(line)
    assert told["server"] == fingerprint(load_certificate(files.read(made.certificate)))


def test_a_database_without_tls_is_told(made: Made) -> None:
    with greeting(made, "postgres", b"") as port:
        told = probed(port, before="postgres", say="PING", enough=1)
    assert told["error"] == "EOFError: does not speak TLS"


def test_a_probe_of_nobody_is_told(made: Made) -> None:
    way = {"host": "localhost", "port": 1, "path": "/", "connect": "127.0.0.1"}
    (answer,) = ask("probe", stdin=json.dumps([way]).encode())
    assert answer["error"].startswith("ConnectionRefusedError")
    nameless = way | {"connect": "no-such-host.invalid"}
    (answer,) = ask("probe", stdin=json.dumps([nameless]).encode())
    assert answer["error"].startswith("gaierror")
    for name in ("expected", "bundle", "certificate"):
        missing = way | {"key": "/none", name: "/nonexistent"}
        (answer,) = ask("probe", stdin=json.dumps([missing]).encode())
        assert answer["error"] == "NotFound: /nonexistent: no such file"
        assert "tried" not in answer
    odd = [way | {"connect": "a" * 70}, way]
    first, second = ask("probe", stdin=json.dumps(odd).encode())
    assert "error" in first
    assert second["error"].startswith("ConnectionRefusedError")


def test_a_server_that_says_nothing_is_not_waited_for(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(probes, "LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        way = {"host": "localhost", "port": port, "path": "/", "connect": "127.0.0.1"}
        (answer,) = ask("probe", stdin=json.dumps([way]).encode())
    assert answer == {"error": "no answer within 0.3 seconds"}


@contextmanager
def saying(made: Made, *words: bytes, pause: float = 0) -> Iterator[int]:
    """A server that says something of its own to whoever connects; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)

    def serve() -> None:
        plain, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as found:
            found.recv(1 << 16)
            for each in words:
                found.sendall(each)
                time.sleep(pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def probed(port: int, **more: str | int) -> dict[str, object]:
    way = {"host": "localhost", "port": port, "path": "/", "connect": "127.0.0.1"}
    way |= more
    (answer,) = ask("probe", stdin=json.dumps([way]).encode())
    assert isinstance(answer, dict)
    return answer


def test_an_answer_that_is_none_is_no_refusal(made: Made) -> None:
    with saying(made, b"accepted\nmore") as port:
        told = probed(port)
        assert (told["line"], told["status"]) == ("accepted", 0)
    with saying(made) as port:
        assert str(probed(port)["error"]) == "EOFError: closed without an answer"


def test_a_server_that_trickles_is_not_waited_for(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LIMIT", 0.5)
    begun = time.monotonic()
    with saying(made, *[b"x"] * 20, pause=0.1) as port:
        assert probed(port) == {"error": "no answer within 0.5 seconds"}
        assert time.monotonic() - begun < 1.5


def test_the_ca_is_asked_to_sign(made: Made, other: Made) -> None:
    with serving(made) as (port, asked):
        files = [made.certificate, made.key, made.bundle, made.crls]
        told = ask(
            "ca_api", "localhost", port, *files, stdin=b"web01\nmissing.example.com"
        )
        assert told["web01"]["status"] == 204
        assert told["missing.example.com"]["status"] == 404
        assert asked == [
            '{"desired_state": "signed"}',
            "/puppet-ca/v1/certificate_status/web01",
            '{"desired_state": "signed"}',
            "/puppet-ca/v1/certificate_status/missing.example.com",
        ]
        strangers = [made.certificate, made.key, other.bundle, other.crls]
        told = ask("ca_api", "localhost", port, *strangers, stdin=b"web01")
    assert told["web01"]["status"] == 0
    assert "SSLCertVerificationError" in told["web01"]["body"]


def test_no_verb_without_its_arguments_does_anything() -> None:
    for verb in VERBS.keys() - {"contract", "public_keys"}:
        with pytest.raises(UsageError):
            carry_out(verb, [], bytes)
