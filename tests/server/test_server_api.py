"""Every endpoint answers as Puppet Server's does, and changes what it says it does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from serverscene import HOST, NEW, NODE, WEB, Scene

from reseal.ca.profile import Profile
from reseal.server.caller import Caller, caller_of
from reseal.wire import Response
from reseal.x509 import bundle, certexts, oids
from reseal.x509.csr import build_request

CA = "/puppet-ca/v1"
UTF8 = "text/plain;charset=utf-8"
JSON = {"content-type": "application/json", "accept": "application/json"}


def told(response: Response) -> tuple[int, str, str]:
    return response.status, response.media_type, response.body.decode()


def test_the_ca_and_certificates_are_published_byte_for_byte(scene: Scene) -> None:
    for name, path in (("ca", "ca_crt.pem"), (WEB, f"signed/{WEB}.pem")):
        answer = scene.ask("GET", f"{CA}/certificate/{name}")
        text = (scene.cadir / path).read_text()
        assert told(answer) == (200, "text/plain", text)
    for name in ("nobody", "UPPER", "..x", "a..b"):
        answer = scene.ask("GET", f"{CA}/certificate/{name}")
        missing = f"Could not find certificate {name}"
        assert told(answer) == (404, "text/plain", missing)


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Tue, 24 Nov 2026 12:00:00 GMT", 200),
        ("Tue, 24 Nov 2026 12:00:01 GMT", 304),
        ("Tue, 24 Nov 2026 13:00:01 +0100", 304),
        ("yesterday", 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("path", ["certificate/ca", "certificate_revocation_list/ca"])
def test_what_is_not_newer_is_not_sent(
    scene: Scene, path: str, since: str, status: int
) -> None:
    name = "ca_crt.pem" if "certificate/" in path else "ca_crl.pem"
    half = int(scene.clock.time.timestamp() * 10**9) + 500_000_000
    os.utime(scene.cadir / name, ns=(half, half))
    answer = scene.ask("GET", f"{CA}/{path}", headers={"if-modified-since": since})
    assert answer.status == status
    assert bool(answer.body) is (status == 200)


def test_the_infrastructures_list_is_published_where_it_is_wanted(scene: Scene) -> None:
    (scene.cadir / "infra_crl.pem").write_bytes(b"infra")
    assert scene.ask("GET", f"{CA}/certificate_revocation_list/ca").body != b"infra"
    scene.use(enable_infra_crl=True)
    assert scene.ask("GET", f"{CA}/certificate_revocation_list/ca").body == b"infra"


def test_a_request_waits_is_shown_signed_and_gone(scene: Scene) -> None:
    assert told(scene.put(NEW)) == (200, "text/plain", "")
    shown = scene.ask("GET", f"{CA}/certificate_request/{NEW}")
    assert told(shown)[:2] == (200, "text/plain")
    assert shown.body == build_request(NODE, NEW).pem or b"REQUEST" in shown.body
    assert scene.state(NEW) == "requested"
    path, wanted = f"{CA}/certificate_status/{NEW}", {"desired_state": "signed"}
    assert told(scene.ask("PUT", path, wanted, scene.cli)) == (204, "text/plain", "")
    assert scene.state(NEW) == "signed"
    gone = scene.ask("GET", f"{CA}/certificate_request/{NEW}")
    missing = f"Could not find certificate_request {NEW}"
    assert told(gone) == (404, "text/plain", missing)


def test_a_refusal_of_a_request_says_why_and_keeps_nothing(scene: Scene) -> None:
    before = scene.left()
    assert told(scene.put(WEB)) == (
        400,
        UTF8,
        f"{WEB} already has a signed certificate; ignoring certificate request",
    )
    scene.use(autosign="true")
    answer = scene.put(NEW, "DNS:other")
    assert answer.status == 400
    assert "extra subject alternative names (DNS:other)" in answer.body.decode()
    for body in (b"", b"x", build_request(NODE, NEW).der):
        path = f"{CA}/certificate_request/{NEW}"
        assert scene.ask("PUT", path, body).status == 400
    assert scene.left() == before


def test_too_many_waiting_requests_are_told_to_come_again(scene: Scene) -> None:
    scene.use(waiting_requests=1)
    assert scene.put("a.example.com").status == 200
    assert told(scene.put("b.example.com"))[0] == 503
    assert not (scene.cadir / "requests/b.example.com.pem").exists()


def test_only_who_may_removes_a_request(scene: Scene) -> None:
    scene.put(NEW)
    answer = scene.ask("DELETE", f"{CA}/certificate_request/{NEW}", caller=scene.cli)
    assert answer.status == 403
    assert scene.state(NEW) == "requested"


PUT = f"{CA}/certificate_status"


@pytest.mark.parametrize(
    ("sentence", "name", "body", "headers", "expected"),
    [
        ("no body", WEB, b"", JSON, (400, "Request body is not JSON.")),
        ("no JSON", WEB, b"{", JSON, (400, "Request body is not JSON.")),
        (
            "no state",
            WEB,
            {},
            JSON,
            (400, 'Missing required parameter "desired_state"'),
        ),
        (
            "an unknown state",
            WEB,
            {"desired_state": "x"},
            JSON,
            (
                400,
                "State x invalid; Must specify desired state of 'signed' or "
                f"'revoked' for host {WEB}.",
            ),
        ),
        (
            "a life that is no number",
            WEB,
            {"desired_state": "signed", "cert_ttl": "1d"},
            JSON,
            (
                400,
                f'cert_ttl specified for host {WEB} must be an integer, not "1d"',
            ),
        ),
        (
            "another type",
            WEB,
            {"desired_state": "signed"},
            {"content-type": "text/html"},
            (415, "Unsupported media type."),
        ),
        (
            "another answer",
            WEB,
            {"desired_state": "signed"},
            {"accept": "text/html"},
            (406, "No acceptable resource available."),
        ),
        (
            "an unknown name",
            "nobody",
            {"desired_state": "signed"},
            JSON,
            (404, "Invalid certificate subject."),
        ),
        (
            "nothing to sign",
            WEB,
            {"desired_state": "signed"},
            JSON,
            (
                409,
                f"Cannot sign certificate for host {WEB} without a certificate request",
            ),
        ),
        (
            "nothing to revoke",
            NEW,
            {"desired_state": "revoked"},
            JSON,
            (
                409,
                f"Cannot revoke certificate for host {NEW} without a signed "
                "certificate",
            ),
        ),
    ],
)
def test_what_cannot_be_decided(
    scene: Scene,
    sentence: str,
    name: str,
    body: object,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    scene.put(NEW)
    before = scene.left()
    answer = scene.ask("PUT", f"{PUT}/{name}", body, scene.cli, headers)
    assert told(answer) == (expected[0], UTF8, expected[1]), sentence
    assert scene.left() == before


@pytest.mark.parametrize("seconds", [0, -1, 10**10])
def test_a_life_that_the_ca_cannot_give_is_refused(scene: Scene, seconds: int) -> None:
    scene.put(NEW)
    wanted = {"desired_state": "signed", "cert_ttl": seconds}
    answer = scene.ask("PUT", f"{PUT}/{NEW}", wanted, scene.cli)
    assert answer.status == 400
    assert "must be between 1 and" in answer.body.decode()
    assert scene.state(NEW) == "requested"


def test_a_life_that_is_asked_for_is_given(scene: Scene) -> None:
    scene.put(NEW)
    wanted = {"desired_state": "signed", "cert_ttl": 3600}
    assert scene.ask("PUT", f"{PUT}/{NEW}", wanted, scene.cli).status == 204
    end = scene.certificate(NEW).not_valid_after_utc
    assert end == scene.clock.time + timedelta(hours=1)


def test_names_are_signed_only_where_they_are_allowed(scene: Scene) -> None:
    scene.put(NEW, "DNS:other")
    wanted = {"desired_state": "signed"}
    answer = scene.ask("PUT", f"{PUT}/{NEW}", wanted, scene.cli)
    assert answer.status == 409
    assert answer.body.startswith(b"CSR 'new.example.com' contains extra subject")
    scene.use(allow_subject_alt_names=True)
    assert scene.ask("PUT", f"{PUT}/{NEW}", wanted, scene.cli).status == 204
    names = certexts.alt_names(certexts.extensions_of(scene.certificate(NEW)))
    assert names == ("DNS:other", f"DNS:{NEW}")


def test_revoking_publishes_a_list_and_keeps_the_file(scene: Scene) -> None:
    for _ in range(2):
        wanted = {"desired_state": "revoked"}
        answer = scene.ask("PUT", f"{PUT}/{WEB}", wanted, scene.cli)
        assert told(answer) == (204, "text/plain", "")
    lists = bundle.load_crls((scene.cadir / "ca_crl.pem").read_bytes())
    assert (lists[0].number, len(lists[0])) == (1, 1)
    assert scene.state(WEB) == "revoked"
    assert scene.put(WEB).body.startswith(b"web01.example.com already has a revoked")


def test_removing_does_not_revoke(scene: Scene) -> None:
    crl = (scene.cadir / "ca_crl.pem").read_bytes()
    assert scene.ask("DELETE", f"{PUT}/{WEB}", caller=scene.cli).status == 204
    assert not (scene.cadir / f"signed/{WEB}.pem").exists()
    assert (scene.cadir / "ca_crl.pem").read_bytes() == crl
    assert scene.ask("DELETE", f"{PUT}/{WEB}", caller=scene.cli).status == 204
    answer = scene.ask("DELETE", f"{PUT}/nobody", caller=scene.cli)
    assert told(answer)[::2] == (404, "Resource not found.")
    revoke = scene.ask("PUT", f"{PUT}/{WEB}", {"desired_state": "revoked"}, scene.cli)
    assert revoke.status == 204
    assert (scene.cadir / "ca_crl.pem").read_bytes() != crl


def test_a_status_says_what_tools_show(scene: Scene) -> None:
    answer = scene.ask("GET", f"{PUT}/{HOST}", caller=scene.cli)
    found = json.loads(answer.body)
    certificate = scene.certificate(HOST)
    assert answer.media_type == "application/json;charset=utf-8"
    assert found["name"] == HOST
    assert found["state"] == "signed"
    assert found["fingerprint"] == found["fingerprints"]["default"]
    assert set(found["fingerprints"]) == {"SHA1", "SHA256", "SHA512", "default"}
    assert found["dns_alt_names"] == ["DNS:puppet", f"DNS:{HOST}"]
    assert found["authorization_extensions"] == {"pp_cli_auth": "true"}
    assert found["serial_number"] == certificate.serial_number
    assert found["not_after"] == f"{certificate.not_valid_after_utc:%FT%T}UTC"


def test_statuses_are_filtered_by_state_and_follow_every_change(scene: Scene) -> None:
    scene.put(NEW)

    def names(query: str = "") -> list[tuple[str, str]]:
        path = f"{CA}/certificate_statuses/any{query}"
        found = json.loads(scene.ask("GET", path, caller=scene.cli).body)
        return [(each["name"], each["state"]) for each in found]

    both = [(HOST, "signed"), (WEB, "signed")]
    assert names() == [(NEW, "requested"), *both]
    assert names("?state=signed") == both
    assert names("?state=requested") == [(NEW, "requested")]
    assert names("?state=other") == names()
    scene.ask("PUT", f"{PUT}/{WEB}", {"desired_state": "revoked"}, scene.cli)
    scene.ask("PUT", f"{PUT}/{NEW}", {"desired_state": "signed"}, scene.cli)
    assert names("?state=revoked") == [(WEB, "revoked")]
    assert names("?state=signed") == [(NEW, "signed"), (HOST, "signed")]
    missing = scene.ask("GET", f"{CA}/certificate_statuses/", caller=scene.cli)
    assert told(missing) == (400, UTF8, "Missing URL Segment")


def test_expirations_name_every_certificate_and_list(scene: Scene) -> None:
    answer = scene.ask("GET", f"{CA}/expirations", caller=scene.node)
    assert answer.media_type == "application/json"
    assert json.loads(answer.body) == {
        "ca-certs": {"Puppet CA: test": "2031-11-23T11:00:00UTC"},
        "crls": {"Puppet CA: test": "2031-11-23T11:00:00UTC"},
    }


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"x", 400, "Request body is not JSON."),
        (
            {},
            400,
            "Missing required key: 'certnames'. Please supply the list of certs you "
            "want to clean.",
        ),
        (
            {"certnames": [], "async": True},
            400,
            "Async mode is not currently supported.",
        ),
        ({"certnames": "web01"}, 400, "'certnames' must be a list of strings."),
        ({"certnames": []}, 200, "Successfully cleaned all certs."),
        ({"certnames": [WEB]}, 200, "Successfully cleaned all certs."),
        (
            {"certnames": ["x", WEB, "Y/../z"]},
            200,
            'The following certs do not exist and cannot be revoked: ["x" "Y/../z"]',
        ),
    ],
)
def test_cleaning_many(scene: Scene, body: object, status: int, text: str) -> None:
    answer = scene.ask("PUT", f"{CA}/clean", body, scene.cli)
    assert told(answer)[::2] == (status, text)
    cleaned = isinstance(body, dict) and WEB in body.get("certnames", ())
    assert (scene.cadir / f"signed/{WEB}.pem").exists() is not cleaned
    assert scene.office.revoked(3) is cleaned


def test_signing_many_names_what_was_and_what_was_not(scene: Scene) -> None:
    scene.put("a.example.com")
    scene.put("b.example.com", "DNS:other")
    wanted = {"certnames": ["b.example.com", "a.example.com", "c.example.com"]}
    answer = scene.ask("POST", f"{CA}/sign", wanted, scene.cli)
    assert told(answer) == (
        200,
        "application/json",
        '{"signed":["a.example.com"],"no-csr":["c.example.com"],'
        '"signing-errors":["b.example.com"]}',
    )
    scene.use(allow_subject_alt_names=True)
    every = scene.ask("POST", f"{CA}/sign/all", b"", scene.cli)
    assert json.loads(every.body)["signed"] == ["b.example.com"]
    for body in (b"", b"x", b"[]", b"{}"):
        empty = scene.ask("POST", f"{CA}/sign", body, scene.cli)
        assert json.loads(empty.body)["signed"] == []
    wrong = scene.ask("POST", f"{CA}/sign", {"certnames": "x"}, scene.cli)
    assert wrong.status == 422
    assert json.loads(wrong.body)["kind"] == "schema-violation"


def test_renewal_is_off_until_it_is_allowed(scene: Scene) -> None:
    path = f"{CA}/certificate_renewal"
    off = scene.ask("POST", path, caller=scene.node)
    assert told(off) == (404, "text/plain", "Not Found")
    scene.use(allow_auto_renewal=True, auto_renewal_cert_ttl=timedelta(days=7))
    new = scene.ask("POST", path, caller=scene.node)
    assert (new.status, new.media_type) == (200, "text/plain")
    assert new.body == (scene.cadir / f"signed/{WEB}.pem").read_bytes()
    end = scene.certificate(WEB).not_valid_after_utc
    assert end == scene.clock.time + timedelta(days=7)
    nameless = scene.ask("POST", path, caller=Caller("web01.example.com"))
    assert told(nameless)[0] == 400
    assert scene.ask("POST", path).status == 403


def test_a_revoked_certificate_is_not_renewed(scene: Scene) -> None:
    scene.use(allow_auto_renewal=True)
    caller = caller_of(scene.certificate(WEB))
    scene.ask("PUT", f"{PUT}/{WEB}", {"desired_state": "revoked"}, scene.cli)
    before = scene.left()
    answer = scene.ask("POST", f"{CA}/certificate_renewal", caller=caller)
    assert answer.status == 403
    assert answer.body.startswith(b"Forbidden request: ")
    assert scene.left() == before


def test_an_agent_that_renews_lives_shorter(scene: Scene) -> None:
    renews = build_request(NODE, NEW, attributes=[(oids.PP_AUTH_AUTO_RENEW, "true")])
    scene.use(autosign="true", allow_auto_renewal=True)
    scene.ask("PUT", f"{CA}/certificate_request/{NEW}", renews.pem)
    end = scene.certificate(NEW).not_valid_after_utc
    assert end == scene.clock.time + timedelta(days=90)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("simple", 200, "running"),
        ("simple/ca", 200, "running"),
        ("simple/other", 404, "not found: other"),
        (
            "services/other",
            404,
            '{"kind":"service-not-found",'
            '"msg":"No status information found for service other"}',
        ),
        (
            "services?level=bad",
            400,
            '{"kind":"data-invalid","msg":"Invalid level: :bad"}',
        ),
        (
            "services/ca?service_status_version=9",
            400,
            '{"kind":"service-status-version-not-found",'
            '"msg":"No status function with version 9 found for service ca"}',
        ),
    ],
)
def test_the_status_api(scene: Scene, path: str, status: int, body: str) -> None:
    assert told(scene.ask("GET", f"/status/v1/{path}"))[::2] == (status, body)


def test_a_ca_that_cannot_be_loaded_is_not_running(scene: Scene) -> None:
    services = json.loads(scene.ask("GET", "/status/v1/services").body)
    assert services["ca"]["state"] == "running"
    (scene.cadir / "ca_key.pem").write_bytes(b"")
    assert told(scene.ask("GET", "/status/v1/simple"))[::2] == (503, "error")
    answer = scene.put(NEW)
    assert told(answer)[::2] == (500, "Internal Server Error: see the server's log")


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", "/nothing", 404, "<h1>Not Found</h1>\n"),
        ("GET", "/puppet-cafe/v1/certificate/ca", 404, "<h1>Not Found</h1>\n"),
        ("GET", f"{CA}/certificate/a%2fb", 404, "Not Found"),
        ("GET", f"{CA}/certificate/a b", 404, "Not Found"),
        ("GET", f"{CA}/certificate/ca/", 404, "Not Found"),
        ("GET", f"{CA}/certificate/%00", 404, "Not Found"),
        (
            "GET",
            f"{CA}/certificate/../x",
            400,
            f"Invalid relative path (.. or .) in: {CA}/certificate/../x",
        ),
        (
            "PATCH",
            f"{CA}/certificate/ca",
            403,
            f"Forbidden request: {CA}/certificate/ca (method :patch). Please see the "
            "server logs for details.",
        ),
    ],
)
def test_what_is_outside(
    scene: Scene, method: str, target: str, status: int, body: str
) -> None:
    answer = scene.ask(method, target)
    assert (answer.status, answer.body.decode()) == (status, body)


def test_a_rare_failure_is_told_to_the_log_alone(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    (scene.cadir / "serial").write_bytes(b"xyz")
    scene.use(autosign="true")
    assert scene.put(NEW).body == b"Internal Server Error: see the server's log"
    assert "not a serial number" in caplog.text
    assert not (scene.cadir / f"signed/{NEW}.pem").exists()


def test_weak_digests_are_only_warned_of_where_the_site_says_so(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
    weak: Callable[[str], bytes],
) -> None:
    path = f"{CA}/certificate_request/{NEW}"
    refused = scene.ask("PUT", path, weak(NEW))
    assert refused.status == 400
    assert b"signed over SHA1" in refused.body
    scene.use(key_policy="warn")
    assert scene.ask("PUT", path, weak(NEW)).status == 200
    assert "signed over SHA1, which can be forged; key_policy lets it pass" in (
        caplog.text
    )


def test_a_certificate_signed_outside_is_seen_at_once(scene: Scene) -> None:
    assert scene.state("late.example.com") is None
    scene.issue("late.example.com", Profile(timedelta(days=1)))
    assert scene.state("late.example.com") == "signed"


@pytest.mark.parametrize("path", ["certificate", "certificate_request"])
@pytest.mark.parametrize("length", [251, 252, 300, 3000])
def test_a_name_that_no_file_can_have_is_unknown(
    scene: Scene, path: str, length: int
) -> None:
    answer = scene.ask("GET", f"{CA}/{path}/{'a' * length}")
    assert answer.status == 404
    status = scene.ask(
        "PUT",
        f"{CA}/certificate_status/{'a' * length}",
        {"desired_state": "signed"},
        scene.cli,
        JSON,
    )
    assert status.status == 404


@pytest.mark.parametrize("length", [251, 252])
def test_the_longest_name_of_a_request(scene: Scene, length: int) -> None:
    answer = scene.put("a" * length)
    assert answer.status == (200 if length == 251 else 400)
