"""A proxy's headers are believed from that proxy, and from nobody else."""

from __future__ import annotations

import http.client
import ipaddress
from dataclasses import replace
from urllib.parse import quote

import pytest
from listening import QUIET, Answer, send, serving
from serverscene import HOST, WEB, Scene

from reseal.ca.revoke import revoke
from reseal.errors import ParseError
from reseal.server.caller import ANONYMOUS
from reseal.server.options import ListenerOptions
from reseal.server.proxy import caller_from, common_name, is_proxy
from reseal.x509.certificate import to_pem

STATUS = f"/puppet-ca/v1/certificate_status/{WEB}"
LOCAL = replace(
    QUIET,
    tls=False,
    allow_header_cert_info=True,
    proxies=(ipaddress.ip_network("127.0.0.0/8"),),
)


def told(scene: Scene, name: str, **changes: str) -> dict[str, str]:
    """Return what a proxy sends about a node."""
    pem = to_pem(scene.certificate(name)).decode()
    found = {
        "x-client-verify": "SUCCESS",
        "x-client-dn": f"CN={name}",
        "x-client-cert": quote(pem, safe=""),
    }
    return {**found, **{f"x-client-{key}": value for key, value in changes.items()}}


def ask(scene: Scene, options: ListenerOptions, headers: dict[str, str]) -> Answer:
    with serving(scene, options, tls=options.tls) as served:
        if options.tls:
            return served.ask("GET", STATUS, headers=headers)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        try:
            return send(connection, "GET", STATUS, headers=headers)
        finally:
            connection.close()


def test_a_named_proxy_tells_who_calls(today: Scene) -> None:
    assert ask(today, LOCAL, told(today, HOST)).status == 200
    assert ask(today, LOCAL, told(today, WEB)).status == 403


@pytest.mark.parametrize(
    "options",
    [
        replace(LOCAL, allow_header_cert_info=False),
        replace(LOCAL, proxies=(ipaddress.ip_network("10.0.0.0/8"),)),
        replace(LOCAL, allow_header_cert_info=False, tls=True),
    ],
)
def test_headers_of_others_mean_nothing(today: Scene, options: ListenerOptions) -> None:
    assert ask(today, options, told(today, HOST)).status == 403


def test_a_proxy_with_an_old_list_lets_no_revoked_certificate_in(today: Scene) -> None:
    serial = today.certificate(HOST).serial_number
    issuer, store = today.authority.issuer, today.office.store
    revoke([serial], issuer=issuer, store=store, clock=today.clock)
    assert ask(today, LOCAL, told(today, HOST)).status == 403


@pytest.mark.parametrize("verify", ["FAILED", "NONE", "success", ""])
def test_a_certificate_that_the_proxy_did_not_verify_is_nobody(
    today: Scene, verify: str
) -> None:
    assert caller_from(told(today, HOST, verify=verify)) == ANONYMOUS


def test_without_a_certificate_there_is_a_name_and_no_extensions(
    today: Scene,
) -> None:
    headers = told(today, HOST)
    del headers["x-client-cert"]
    caller = caller_from(headers)
    assert (caller.name, caller.certificate, caller.extensions) == (HOST, None, {})
    assert caller_from({"x-client-verify": "SUCCESS"}) == ANONYMOUS


def test_name_and_certificate_are_of_one_node(today: Scene) -> None:
    with pytest.raises(ParseError, match="different nodes"):
        caller_from(told(today, HOST, dn=f"CN={WEB}"))
    assert ask(today, LOCAL, told(today, HOST, dn=f"CN={WEB}")).status == 400


@pytest.mark.parametrize("sent", ["%zz", "garbage", "-----BEGIN%20CERTIFICATE-----"])
def test_a_certificate_that_cannot_be_read_is_the_proxys_fault(
    today: Scene, sent: str
) -> None:
    with pytest.raises(ParseError):
        caller_from(told(today, HOST, cert=sent))


def test_one_certificate_is_expected(today: Scene) -> None:
    pem = quote(to_pem(today.certificate(HOST)).decode() * 2, safe="")
    with pytest.raises(ParseError, match=r"Only 1 PEM .*but 2 found"):
        caller_from(told(today, HOST, cert=pem))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CN=a", "a"),
        ("CN=a,O=b", "a"),
        ("O=b, CN=a", "a"),
        ("/O=b/CN=a", "a"),
        ("/CN=a/O=b", "a"),
        ("cn=a", "a"),
        (r"CN=a\,b", "a,b"),
        (r"O=x\,CN=evil,CN=a", "a"),
        ("O=b", ""),
        ("", ""),
        ("a", ""),
    ],
)
def test_the_common_name_of_either_form(text: str, name: str) -> None:
    assert common_name(text) == name


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_where_proxies_are(address: str, known: bool) -> None:
    assert is_proxy(LOCAL, address) is known
