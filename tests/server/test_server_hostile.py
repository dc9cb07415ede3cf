"""A hostile node over real sockets: tricks with names, paths, headers and requests.

Each attack is made on a running server, and the tree that it could write to is
compared before and after.  Elsewhere: broken HTTP, half and slow requests, oversized
bodies, a thousand connections and other CAs' certificates in test_server_listener.py;
who may call what in test_server_access.py; identity headers in test_server_proxy.py.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from differential.bodies import cn, csr_der, ext, rdn, text_attribute, wanted
from listening import Served, pair_of, serving
from serverscene import HOST, NEW, WEB, Scene

from reseal.x509 import certexts, der, oids, pem
from reseal.x509.certexts import Extension

CA = "/puppet-ca/v1"
LABEL = "CERTIFICATE REQUEST"


def tree(root: Path) -> dict[str, str]:
    """Return each file below a directory, and the digest of what is in it."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@contextmanager
def harmless(scene: Scene, *new: str) -> Iterator[Served]:
    """Serve; in the end `new` files are there, and nothing else is changed or gone.

    Others are answered at once, whatever came before.
    """
    root = scene.cadir.parent
    with serving(scene) as served:
        before = tree(root)
        yield served
        begun = time.monotonic()
        assert served.ask("GET", f"{CA}/certificate/ca").status == 200
        assert time.monotonic() - begun < 2
        after = tree(root)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == set(new)


def request(
    name: str, *extensions: Extension, attributes: tuple[bytes, ...] = ()
) -> bytes:
    """Return a request for a name, which need not be one, in PEM."""
    oid, text, tag = cn(name)
    asked = (wanted(*extensions),) if extensions else ()
    subject = der.sequence(rdn(oid, text, tag))
    return pem.encode(LABEL, csr_der(subject, (*asked, *attributes)))


def put(served: Served, name: str, body: bytes) -> int:
    return served.ask("PUT", f"{CA}/certificate_request/{name}", body).status


NAMES = {
    "climbs": "../signed/x",
    "dots": "..",
    "dot": ".",
    "climbs far": "x/../../ca_key",
    "null": "x\0",
    "null inside": "web01\0.example.com",
    "line feed": "x\n.example.com",
    "header": "x\r\nSet-Cookie: a=b",
    "upper case": "WEB01.example.com",
    "wildcard": "*.example.com",
    "look-alike": "w\u0435b01.example.com",
    "invisible": "web01\u200b.example.com",
    "wide dots": "web01\uff0eexample\uff0ecom",
    "parameter": "x;y",
    "space": "x y",
    "encoded null": "x%00",
    "long": "a" * 252,
    "very long": "a" * 2500,
    "the CA's": "ca",
    "empty": "",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_name_becomes_a_file_that_is_no_nodes(today: Scene, name: str) -> None:
    with harmless(today) as served:
        for path in (quote(name, safe=""), quote(name, safe="/;%")):
            assert 400 <= put(served, path, request(name)) < 500
            assert served.ask("GET", f"{CA}/certificate_request/{path}").status >= 400
            found = served.ask("DELETE", f"{CA}/certificate_request/{path}")
            assert found.status >= 400
        assert put(served, NEW, request(name)) == 400
        assert put(served, quote(name, safe=""), request(NEW)) >= 400


TARGETS = (
    "/puppet-ca/v1/certificate/../../../ca_key.pem",
    "/puppet-ca/v1/certificate/..%2f..%2fca_key",
    "/puppet-ca/v1/certificate/%2e%2e/%2e%2e/ca_key",
    "/puppet-ca/v1/certificate/..;/ca_key",
    "/puppet-ca/v1/certificate/..%3b/ca_key",
    "/puppet-ca/v1/certificate/%252e%252e%252fca_key",
    "/puppet-ca/v1/certificate/..%c0%afca_key",
    "/puppet-ca/v1/certificate/..\\..\\ca_key",
    "/puppet-ca/v1/certificate/ca_key.pem%00.pem",
    "//puppet-ca/v1/certificate_status/web01.example.com",
    "/puppet-ca/v1/certificate/ca/../../certificate_status/web01.example.com",
    "/puppet-ca/v1/./certificate_status/web01.example.com",
    "/puppet-ca/v1/certificate;/../certificate_status/web01.example.com",
    "/puppet-ca/v1//certificate_status/web01.example.com",
    "/puppet-ca/v1/certificate%5fstatus/web01.example.com",
    "/puppet-ca/v1/certificate_status/web01.example.com?environment=/certificate/ca",
    "/puppet-ca/v1/certificate_statuses/all#/certificate/ca",
    "/production/certificate_status/web01.example.com",
    "http://x/puppet-ca/v1/certificate_status/web01.example.com",
    "*",
)


@pytest.mark.parametrize("target", TARGETS)
def test_no_path_leads_where_its_caller_may_not(today: Scene, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with harmless(today) as served, served.connect() as connection:
        connection.sendall(head.encode())
        said = b"".join(iter(lambda: connection.recv(4096), b""))
        assert said.split()[1] in (b"400", b"403", b"404"), said
        assert b"PRIVATE KEY" not in said
        assert b"fingerprint" not in said


IDENTITY = {
    "X-Client-Verify": "SUCCESS",
    "X-Client-DN": f"CN={HOST}",
    "X-SSL-Subject": f"/CN={HOST}",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Client-Cert": f'Subject="CN={HOST}"',
    "SSL_CLIENT_S_DN": f"/CN={HOST}",
    "X-Original-URL": f"{CA}/certificate/ca",
    "X-Rewrite-URL": f"{CA}/certificate/ca",
    "X-HTTP-Method-Override": "GET",
    "Forwarded": "for=127.0.0.1",
}


def test_no_header_gives_a_name_or_another_path(today: Scene, tmp_path: Path) -> None:
    node = pair_of(today.certificate(WEB), tmp_path / "node.pem")
    escaped = quote((today.cadir / f"signed/{HOST}.pem").read_text(), safe="")
    told = {**IDENTITY, "X-Client-Cert": escaped}
    with harmless(today) as served:
        for pair in (None, node):
            for method in ("GET", "PUT", "DELETE"):
                path = f"{CA}/certificate_status/{WEB}"
                body = b'{"desired_state":"revoked"}'
                found = served.ask(method, path, body, pair=pair, headers=told)
                assert found.status == 403
        assert {line.split()[2] for line in served.lines} == {"-", WEB}


SMUGGLED = f"DELETE {CA}/certificate_status/{WEB} HTTP/1.1\r\nHost: x\r\n\r\n"
DOUBTFUL = {
    "two lengths": "Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{inner}",
    "length and chunks": (
        "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    ),
    "chunks twice": (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
        "0\r\n\r\n{inner}"
    ),
    "spelt oddly": "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n{inner}",
    "space before colon": "Content-Length : {n}\r\n\r\n{inner}",
    "signed length": "Content-Length: +{n}\r\n\r\n{inner}",
    "folded": "X: a\r\n b\r\nContent-Length: 0\r\n\r\n{inner}",
}


def to_the_end(connection: socket.socket) -> bytes:
    """Return what is sent until the connection ends or rests."""
    said = b""
    with suppress(OSError):
        while found := connection.recv(4096):
            said += found
    return said


@pytest.mark.parametrize("kind", DOUBTFUL.values(), ids=DOUBTFUL)
def test_no_request_hides_in_another(today: Scene, tmp_path: Path, kind: str) -> None:
    """Behind a proxy that counts otherwise, a hidden request has another's name."""
    cli = pair_of(today.certificate(HOST), tmp_path / "cli.pem")
    inner = SMUGGLED.replace("DELETE", "GET").replace(WEB, "nobody")
    head = f"PUT {CA}/nothing HTTP/1.1\r\nHost: x\r\n"
    sent = head + kind.format(n=len(inner), inner=inner)
    with harmless(today) as served, served.connect(cli) as connection:
        connection.sendall(sent.encode())
        connection.settimeout(3)
        said = to_the_end(connection)
        assert said.split()[1] == b"400", said
        assert said.count(b"HTTP/1.") == 1, said


_CA = ext(oids.BASIC_CONSTRAINTS, bytes.fromhex("30030101ff"), critical=True)
WISHES: dict[str, tuple[Extension, ...]] = {
    "a CA": (_CA,),
    "a CA, quietly": (ext(oids.BASIC_CONSTRAINTS, bytes.fromhex("30030101ff")),),
    "to sign": (certexts.key_usage("key_cert_sign", "crl_sign"),),
    "any purpose": (certexts.extended_key_usage("2.5.29.37.0"),),
    "the CLI's right": (ext(oids.PP_CLI_AUTH, "true"),),
    "a role": (ext("1.3.6.1.4.1.34380.1.3.1", "admin"),),
    "another's name": (certexts.subject_alt_name((f"DNS:{HOST}",)),),
    "a wildcard": (certexts.subject_alt_name(("DNS:*.example.com",)),),
    "an address": (certexts.subject_alt_name(("IP:10.0.0.1",)),),
    "a URI": (certexts.subject_alt_name(("URI:spiffe://x/admin",)),),
    "a key identifier": (certexts.authority_key_id(b"x" * 20),),
    "an e-mail address": (certexts.subject_alt_name(("email:root@example.com",)),),
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_no_request_gets_more_than_a_nodes_certificate(
    today: Scene, tmp_path: Path, wish: tuple[Extension, ...]
) -> None:
    """Not by autosigning, not by an operator's `sign --all`."""
    cli = pair_of(today.certificate(HOST), tmp_path / "cli.pem")
    today.use(autosign="true")
    with harmless(today) as served:
        assert put(served, NEW, request(NEW, *wish)) == 400
    today.use(autosign="false")
    with harmless(today, f"ca/requests/{NEW}.pem") as served:
        assert put(served, NEW, request(NEW, *wish)) == 200
        found = served.ask("POST", f"{CA}/sign/all", pair=cli)
        assert (
            found.body
            == f'{{"signed":[],"no-csr":[],"signing-errors":["{NEW}"]}}'.encode()
        )


def test_a_challenge_password_is_not_in_the_certificate_or_the_logs(
    today: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    today.use(autosign="true")
    secret = text_attribute("1.2.840.113549.1.9.7", "s3cret-of-the-node")
    with serving(today) as served:
        assert put(served, NEW, request(NEW, attributes=(secret,))) == 200
        said = " ".join(served.lines)
    made = pem.decode((today.cadir / f"signed/{NEW}.pem").read_bytes())[0].der
    assert b"s3cret" not in made
    assert "s3cret" not in caplog.text + said
