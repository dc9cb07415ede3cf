"""A node's way to its certificate: every state, every failure, and what is left.

The failures are those of docs/reference/agent.md; each has its way out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from smallca import NAME, Node, SmallCa

from reseal.agent.acts import EnrolmentFailed, File, Ready, Unsigned, digest
from reseal.agent.proof import NotProven
from reseal.agent.remote import NoConnection, Trust
from reseal.errors import ResealError
from reseal.wire import Response
from reseal.x509 import bundle, keys
from reseal.x509.csr import parse_request
from reseal.x509.csrattributes import read_csr_attributes

CA, CRL = "certificate/ca", "certificate_revocation_list/ca"
REQUEST, OWN = f"certificate_request/{NAME}", f"certificate/{NAME}"
WAY = [
    ("GET", CA, Trust.NOTHING),
    ("GET", CRL, Trust.CA),
    ("PUT", REQUEST, Trust.FULL),
    ("GET", OWN, Trust.FULL),
]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> SmallCa:
    return SmallCa(tmp_path_factory.mktemp("small") / "ca")


@pytest.fixture
def ca(template: SmallCa, tmp_path: Path) -> SmallCa:
    return template.copied(Path(shutil.copytree(template.cadir, tmp_path / "ca")))


@pytest.fixture
def node(ca: SmallCa) -> Node:
    return Node(ca)


def way(ca: SmallCa) -> list[tuple[str, str, Trust]]:
    return [(m, p.removeprefix("/puppet-ca/v1/"), t) for m, p, t in ca.asked]


def enrolled(node: Node) -> Node:
    assert isinstance(node.enrol(), Unsigned)
    node.ca.sign()
    assert isinstance(node.enrol(), Ready)
    node.ca.asked.clear()
    node.said.clear()
    return node


def test_the_way_of_a_new_node_is_puppets(node: Node, ca: SmallCa) -> None:
    found = node.enrol()
    assert isinstance(found, Unsigned)
    assert way(ca) == WAY
    assert set(node.files) == {File.CA, File.CRL, File.KEY, File.REQUEST}
    assert node.said[-1] == f"info: Certificate for {NAME} has not been signed yet"
    ca.asked.clear()
    ca.sign()
    ready = node.enrol()
    assert isinstance(ready, Ready)
    assert way(ca) == WAY[3:], "what is there is not asked for again"
    assert set(node.files) == {File.CA, File.CRL, File.KEY, File.CERTIFICATE}
    kept = bundle.load_certificate(node.files[File.CERTIFICATE])
    assert kept == ready.certificate
    assert node.said[-1].startswith(f"info: Downloaded certificate for {NAME} from")
    ca.asked.clear()
    again = node.enrol()
    assert isinstance(again, Ready)
    assert again.certificate == ready.certificate
    assert not ca.asked, "a node that is ready asks nobody"


def test_a_request_that_the_server_has_lost_is_sent_again(
    node: Node, ca: SmallCa
) -> None:
    node.enrol()
    (ca.cadir / f"requests/{NAME}.pem").unlink()
    ca.asked.clear()
    assert isinstance(node.enrol(), Unsigned)
    assert way(ca) == [WAY[3], WAY[2]]
    assert (ca.cadir / f"requests/{NAME}.pem").exists()


def test_a_request_says_what_the_node_is_told_to_ask_for(
    node: Node, ca: SmallCa
) -> None:
    text = "extension_requests:\n  pp_role: web\ncustom_attributes:\n  1.2.3.4: x\n"
    node.attributes = read_csr_attributes(text, "csr_attributes.yaml")
    node.enrol(alt_names="www,IP:10.0.0.1", renewal=timedelta(days=30))
    assert any("Certificate Request fingerprint (SHA256)" in line for line in node.said)
    kept = parse_request(node.files[File.REQUEST])
    assert kept.certname == NAME
    assert kept.extensions[0].oid == "1.3.6.1.4.1.34380.1.1.13"
    assert kept.alt_names == ("DNS:web01.example.com", "DNS:www", "IP:10.0.0.1")
    assert kept.attribute("1.3.6.1.4.1.34380.1.3.2") is not None
    assert kept.attribute("1.2.3.4") is not None


def test_a_lost_key_takes_certificate_and_request_with_it(
    node: Node, ca: SmallCa
) -> None:
    enrolled(node)
    del node.files[File.KEY]
    with pytest.raises(NotProven, match="does not match its private key") as caught:
        node.enrol()
    assert f"reseal cert clean {NAME}" in str(caught.value.hint)
    assert File.CERTIFICATE not in node.files
    assert File.KEY in node.files, "the new key is kept: its request may be signed"


def test_the_ca_is_pinned_by_its_fingerprint(node: Node, ca: SmallCa) -> None:
    with pytest.raises(
        EnrolmentFailed, match="did not match expected digest 00"
    ) as bad:
        node.enrol(ca_fingerprint="00")
    assert "another server may have answered" in str(bad.value.hint)
    assert not node.files, "nothing of another CA is kept"
    said = digest((ca.cadir / "ca_crt.pem").read_bytes())
    for wanted in (said, said.replace(":", "").lower()):
        node.files.clear()
        assert isinstance(node.enrol(ca_fingerprint=wanted), Unsigned)
        assert f"info: Verified CA bundle with digest (SHA256) {said}" in node.said


def test_without_revocation_no_list_is_fetched(node: Node, ca: SmallCa) -> None:
    node.enrol(revocation="")
    assert CRL not in [path for _, path, _ in way(ca)]
    assert File.CRL not in node.files


def later(ca: SmallCa, **passed: float) -> None:
    ca.clock.time += timedelta(**passed)


DAY = {"ca_refresh": timedelta(days=1), "crl_refresh": timedelta(days=1)}


def test_ca_and_lists_are_refreshed_together(node: Node, ca: SmallCa) -> None:
    enrolled(node)
    later(ca, hours=23)
    node.enrol(**DAY)
    assert not ca.asked
    later(ca, hours=2)
    node.enrol(**DAY)
    assert way(ca) == [("GET", CA, Trust.CA), ("GET", CRL, Trust.CA)]
    assert "info: Refreshing CA certificate" in node.said
    assert any(line.startswith("info: Refreshed CRL: ") for line in node.said)
    ca.asked.clear()
    node.enrol(**DAY)
    assert not ca.asked


def test_a_list_alone_is_refreshed_with_full_trust(node: Node, ca: SmallCa) -> None:
    enrolled(node)
    ca.revoke()
    later(ca, days=2)
    with pytest.raises(
        NotProven, match=f"Certificate 'CN={NAME}' is revoked"
    ) as caught:
        node.enrol(crl_refresh=timedelta(days=1))
    assert way(ca) == [("GET", CRL, Trust.FULL)]
    assert "reseal cert clean" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (Response(304, "", b""), "info", "is unmodified, using existing"),
        (Response(404, "", b""), "info", "Failed to refresh"),
        (Response(500, "", b""), "info", "Failed to refresh"),
        (NoConnection("down"), "warning", "Failed to refresh"),
    ],
)
def test_a_refresh_that_fails_is_no_failure(
    node: Node, ca: SmallCa, answer: Response | NoConnection, level: str, said: str
) -> None:
    enrolled(node)
    before = dict(node.files)
    later(ca, days=2)
    ca.broken = {CA: answer, CRL: answer}
    assert isinstance(node.enrol(**DAY), Ready)
    assert node.files == before
    told = [line for line in node.said if said in line]
    assert len(told) == 2
    assert all(line.startswith(f"{level}: ") for line in told)


def test_a_ca_that_was_replaced_is_not_taken_by_a_refresh(
    node: Node, ca: SmallCa
) -> None:
    enrolled(node)
    before = dict(node.files)
    later(ca, days=2)
    ca.broken[CA] = NoConnection("certificate verify failed", untrusted=True, hint="x")
    with pytest.raises(EnrolmentFailed, match="certificate verify failed"):
        node.enrol(**DAY)
    assert node.files == before


RENEW = {"renewal": timedelta(days=30)}
RENEWAL = "certificate_renewal"


def near_the_end(node: Node) -> None:
    enrolled(node)
    later(node.ca, days=80)


def test_a_certificate_is_renewed_before_it_ends(node: Node, ca: SmallCa) -> None:
    near_the_end(node)
    fresh = ca.renewed()
    ca.broken[RENEWAL] = Response(200, "text/plain", bundle.dump_certificates([fresh]))
    found = node.enrol(**RENEW)
    assert isinstance(found, Ready)
    assert found.certificate == fresh
    assert way(ca) == [("POST", RENEWAL, Trust.MUTUAL)]
    assert any(
        line.startswith("info: Renewed client certificate: ") for line in node.said
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(404, "", b""), "info: Certificate autorenewal has not been enabled"),
        (Response(500, "", b""), "warning: Failed to automatically renew certificate"),
        (NoConnection("down"), "warning: Unable to automatically renew certificate"),
    ],
)
def test_a_renewal_that_fails_is_no_failure(
    node: Node, ca: SmallCa, answer: Response | NoConnection, said: str
) -> None:
    near_the_end(node)
    before = dict(node.files)
    ca.broken[RENEWAL] = answer
    assert isinstance(node.enrol(**RENEW), Ready)
    assert any(line.startswith(said) for line in node.said)
    assert node.files == before


def test_a_renewed_certificate_of_another_key_is_not_taken(
    node: Node, ca: SmallCa
) -> None:
    near_the_end(node)
    before = dict(node.files)
    other = (ca.cadir / "ca_crt.pem").read_bytes()
    ca.broken[RENEWAL] = Response(200, "text/plain", other)
    assert isinstance(node.enrol(**RENEW), Ready)
    assert node.files == before


GARBAGE = Response(200, "text/plain", b"garbage")


@pytest.mark.parametrize(
    ("sentence", "path", "answer", "said"),
    [
        (
            "no CA",
            CA,
            Response(404, "", b""),
            "CA certificate is missing from the server",
        ),
        (
            "a CA's fault",
            CA,
            Response(500, "", b""),
            "Could not download CA certificate",
        ),
        ("no PEM", CA, GARBAGE, "Failed to parse CA certificates as PEM"),
        ("no list", CRL, Response(404, "", b""), "CRL is missing from the server"),
        ("a list's fault", CRL, Response(500, "", b""), "Could not download CRLs"),
        ("no list in PEM", CRL, GARBAGE, "Failed to parse CRLs as PEM"),
        (
            "refused",
            REQUEST,
            Response(403, "", b"no"),
            "Failed to submit the CSR, HTTP",
        ),
        ("a fault", OWN, Response(500, "", b""), "Failed to retrieve certificate for"),
        ("no certificate", OWN, GARBAGE, "Could not parse the certificate"),
        ("no connection", CA, NoConnection("refused", hint="x"), "refused"),
        ("none later", REQUEST, NoConnection("reset", hint="x"), "reset"),
    ],
)
def test_failures_of_the_server_leave_nothing_half(
    node: Node,
    ca: SmallCa,
    sentence: str,
    path: str,
    answer: Response | NoConnection,
    said: str,
) -> None:
    ca.broken[path] = answer
    with pytest.raises(EnrolmentFailed, match=said):
        node.enrol()
    order = [CA, CRL, REQUEST, OWN]
    kept = {CA: File.CA, CRL: File.CRL, OWN: File.CERTIFICATE}
    assert not {kept[p] for p in order[order.index(path) :] if p in kept} & set(
        node.files
    )
    ca.broken.clear()
    assert isinstance(node.enrol(), Unsigned), "and the next try goes on"


def broken(file: File) -> Callable[[Node], None]:
    def break_it(node: Node) -> None:
        node.files[file] = b"garbage"

    return break_it


def expire(node: Node) -> None:
    later(node.ca, days=101)


def too_early(node: Node) -> None:
    later(node.ca, days=-3)


def other_list(node: Node) -> None:
    lists = bundle.load_crls(node.files[File.CRL])
    node.files[File.CRL] = bundle.dump_crls(lists[1:])


def other_key(node: Node) -> None:
    node.files[File.KEY] = keys.dump_private(keys.generate("rsa:2048"))


@pytest.mark.parametrize(
    ("sentence", "change", "said"),
    [
        ("no key", broken(File.KEY), "Could not parse PKey"),
        ("no certificate", broken(File.CERTIFICATE), "Could not parse the certificate"),
        ("no CA", broken(File.CA), "Failed to parse CA certificates as PEM"),
        ("no list", broken(File.CRL), "Failed to parse CRLs as PEM"),
        (
            "it has ended",
            expire,
            f"The certificate 'CN={NAME}' has expired, verify time",
        ),
        (
            "it has not begun",
            too_early,
            "is not yet valid, verify time is synchronized",
        ),
        (
            "a list is missing",
            other_list,
            "The CRL issued by 'CN=Puppet CA: test' is miss",
        ),
        ("another key", other_key, "does not match its private key"),
    ],
)
def test_what_is_wrong_here_is_told_with_the_way_out(
    node: Node, sentence: str, change: Callable[[Node], None], said: str
) -> None:
    enrolled(node)
    change(node)
    before = dict(node.files)
    with pytest.raises(ResealError, match=said) as caught:
        node.enrol()
    assert caught.value.hint, sentence
    assert node.files == before
    assert not node.ca.asked, "a node does not ask about what it can see"


def test_a_certificate_of_another_ca_is_refused(
    node: Node, ca: SmallCa, tmp_path: Path
) -> None:
    enrolled(node)
    other = SmallCa(tmp_path / "other")
    node.files[File.CA] = (other.cadir / "ca_crt.pem").read_bytes()
    node.files[File.CRL] = (other.cadir / "ca_crl.pem").read_bytes()
    with pytest.raises(NotProven, match="is not the CA that is trusted here") as caught:
        node.enrol()
    assert "reseal ssl clean --localca" in str(caught.value.hint)


def test_a_certificate_that_is_not_good_is_never_kept(node: Node, ca: SmallCa) -> None:
    node.enrol()
    ca.sign()
    ca.revoke()
    del node.files[File.CRL]
    with pytest.raises(NotProven, match="is revoked"):
        node.enrol()
    assert File.CERTIFICATE not in node.files


def test_the_leaf_alone_may_be_held_to_a_list(node: Node, ca: SmallCa) -> None:
    enrolled(node)
    other_list_of_the_root_only = bundle.load_crls(node.files[File.CRL])[:1]
    node.files[File.CRL] = bundle.dump_crls(other_list_of_the_root_only)
    assert isinstance(node.enrol(revocation="leaf"), Ready)
    with pytest.raises(NotProven):
        node.enrol(revocation="chain")
