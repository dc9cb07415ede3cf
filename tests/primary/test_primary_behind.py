"""A server behind: what it is told, and what comes back."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from reseal.primary.behind import Behind
from reseal.primary.protocol import Asked
from reseal.primary.records import Records

JSON = {"content-type": "application/json"}
WEB = "web01.example.com"


class Fixed:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Told:
    """What the server behind was asked, and what it answers."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def told() -> Iterator[Told]:
    found = Told()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.asked.append((self.command, self.path, headers, body))
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Puppet-Compiler-Name", "behind")
            self.send_header("Set-Cookie", "no")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b'["behind"]')

        do_GET = do_PUT = do_POST = do_HEAD = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join(10)
    server.server_close()


def behind(told: Told, root: Path, url: str = "") -> Behind:
    records = Records(root / "data", 3, 0, Fixed())
    return Behind(
        url or f"http://127.0.0.1:{told.port}",
        ssl.create_default_context,
        timedelta(seconds=5),
        records,
    )


def certificate() -> x509.Certificate:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now)
    return builder.sign(key, hashes.SHA256())


def asked(
    path: str,
    method: str = "GET",
    body: bytes = b"",
    name: str = WEB,
    shown: x509.Certificate | None = None,
    headers: Mapping[str, str] | None = None,
) -> Asked:
    given = headers or {}
    plain = path.partition("?")[0]
    return Asked(method, plain, path, {}, given, body, name, shown)


def test_the_server_behind_is_told_who_asks_and_by_nobody_else(
    told: Told, tmp_path: Path
) -> None:
    shown = certificate()
    forged = {
        "accept": "application/json",
        "x-client-dn": "CN=puppet",
        "x-client-verify": "SUCCESS",
        "x-client-cert": "x",
        "x-client-anything": "x",
        "host": "elsewhere",
        "transfer-encoding": "chunked",
    }
    path = "/puppet/v3/file_bucket_file/md5/x//etc/a%20b?environment=e&x=%2F"
    answer = behind(told, tmp_path).answer(asked(path, shown=shown, headers=forged))
    assert (answer.status, answer.body) == (200, b'["behind"]')
    assert answer.headers == {"X-Puppet-Compiler-Name": "behind"}
    method, target, headers, _ = told.asked[0]
    assert (method, target) == ("GET", path)
    assert headers["accept"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{told.port}"
    mine = {name: text for name, text in headers.items() if name[:9] == "x-client-"}
    cert = unquote(mine.pop("x-client-cert"))
    assert x509.load_pem_x509_certificate(cert.encode()) == shown
    assert mine == {"x-client-verify": "SUCCESS", "x-client-dn": f"CN={WEB}"}


def test_a_name_cannot_become_two(told: Told, tmp_path: Path) -> None:
    name = 'a,cn=puppet+x="y"'
    behind(told, tmp_path).answer(asked("/puppet/v3/environments", name=name))
    escaped = r"CN=a\,cn\=puppet\+x\=\"y\""
    assert told.asked[0][2]["x-client-dn"] == escaped
    assert "x-client-cert" not in told.asked[0][2]


def test_reports_go_on_and_are_kept_once_they_are_taken(
    told: Told, tmp_path: Path
) -> None:
    there = behind(told, tmp_path)
    body = json.dumps({"host": WEB, "status": "changed"}).encode()
    put = asked(f"/puppet/v3/report/{WEB}", "PUT", body, headers=JSON)
    told.status = 500
    assert there.answer(put).status == 500
    assert there.records.nodes() == []
    told.status = 200
    assert there.answer(put).status == 200
    assert told.asked[-1][3] == body
    (node,) = there.records.nodes()
    assert len(there.records.reports(node)) == 1


def test_a_report_that_cannot_be_read_is_the_other_servers(
    told: Told, tmp_path: Path
) -> None:
    there = behind(told, tmp_path)
    assert there.answer(asked(f"/puppet/v3/report/{WEB}", "PUT", b"x")).status == 200
    assert there.records.nodes() == []


def test_a_server_that_does_not_answer(told: Told, tmp_path: Path) -> None:
    there = behind(told, tmp_path, "http://127.0.0.1:1")
    found = there.answer(asked("/puppet/v3/environments"))
    assert found.status == 503
    assert "does not answer" in found.text


def test_a_server_behind_without_tls_is_not_talked_to_as_if_it_had(
    told: Told, tmp_path: Path
) -> None:
    there = behind(told, tmp_path, f"https://127.0.0.1:{told.port}")
    assert there.answer(asked("/puppet/v3/environments")).status == 503
    assert not told.asked
