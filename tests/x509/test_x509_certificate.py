"""Certificates: drafts, names kept byte for byte, fingerprints."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x509_world import (
    DAY,
    NOW,
    calmly,
    make_ca,
    make_leaf,
    make_root,
    openssl,
    seal,
    signer,
)

from reseal.errors import IssuanceError, ParseError
from reseal.x509 import certexts, der, keys, names
from reseal.x509 import certificate as certs


def printable_name(text: str) -> bytes:
    """Return a name as other CAs write it: country, and PrintableString."""
    rows = (("2.5.4.6", "DE"), ("2.5.4.3", text))
    parts = (
        der.set_of(
            [der.sequence(der.oid(oid), der.tlv(der.PRINTABLE_STRING, value.encode()))]
        )
        for oid, value in rows
    )
    return der.sequence(*parts)


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp256r1", "ec:secp384r1"])
def test_a_draft_has_the_contents_of_the_certificate(kind: str) -> None:
    ca = make_root("Puppet CA: x", signer(kind, "ca"))
    template = certs.Template(
        *("web01", ca.name, ca.signer.public_key, 7, NOW, NOW + DAY),
        *(signer().public_key, (certexts.basic_constraints(False),)),
    )
    unsigned = certs.tbs(template)
    real = certs.seal(unsigned, ca.signer)
    draft = certs.seal(unsigned, ca.draft_signer)
    assert draft.tbs_certificate_bytes == real.tbs_certificate_bytes == unsigned
    assert certs.is_signed_by(real, ca.signer.public_key)
    assert not certs.is_signed_by(draft, ca.signer.public_key)


def test_a_draft_for_another_algorithm_is_not_sealed() -> None:
    ca = make_root("Puppet CA: x", signer())
    template = certs.Template(
        *("web01", ca.name, ca.signer.public_key, 7, NOW, NOW + DAY),
        signer().public_key,
    )
    with pytest.raises(IssuanceError, match="another algorithm"):
        certs.seal(certs.tbs(template), signer("ec:secp256r1"))


def test_a_name_over_64_characters_is_written_and_read_without_a_warning() -> None:
    name = f"{'n' * 100}.example.com"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ca = make_root("Puppet CA: x", signer())
        leaf = make_leaf(name, ca, 2)
        assert certs.common_name(leaf) == name
        assert certs.issuer_common_name(leaf) == "Puppet CA: x"
    assert name in openssl("x509", "-noout", "-subject", stdin=certs.to_pem(leaf))


def test_an_issuers_name_is_kept_byte_for_byte() -> None:
    name, by = printable_name("Corporate CA"), signer()
    root = seal(name, by.public_key, name, by)
    leaf = make_leaf("web01", certs.Issuer(root, by), 2)
    assert certs.subject(root) == certs.issuer(root) == certs.issuer(leaf) == name
    assert names.slashes(name) == "/C=DE/CN=Corporate CA"
    assert names.commas(name) == "CN=Corporate CA,C=DE"
    utf8 = names.common_name("corporate  ca")
    plain = der.sequence(*(p.raw for p in der.parse(name).children()[1:]))
    assert names.same(plain, utf8)
    assert not names.same(name, utf8)


def test_key_and_certificate_of_an_issuer_belong_together() -> None:
    ca = make_root("Puppet CA: x", signer())
    with pytest.raises(IssuanceError, match="Puppet CA: x: key and certificate"):
        certs.Issuer(ca.certificate, signer("ec:secp256r1"))


def test_the_issuers_key_identifier_is_copied_and_never_computed() -> None:
    name, by = names.common_name("Puppet CA: x"), signer()
    odd = [certexts.subject_key_id(b"odd")]
    root = seal(name, by.public_key, name, by, extensions=odd)
    assert certs.Issuer(root, by).key_id == b"odd"
    bare = seal(name, by.public_key, name, by)
    assert certs.Issuer(bare, by).key_id == keys.key_id(by.public_key)
    assert certexts.extensions_of(bare) == ()


@pytest.mark.parametrize("digest", certs.DIGESTS)
def test_fingerprints_are_openssls(digest: str) -> None:
    leaf = make_leaf("web01", make_root("Puppet CA: x", signer()), 2)
    said = openssl(
        *("x509", "-noout", "-fingerprint", f"-{digest.lower()}"),
        stdin=certs.to_pem(leaf),
    )
    ours = certs.fingerprint(leaf, digest.lower())
    assert said.strip().split("=")[1] == ours
    assert certs.fingerprint(certs.to_der(leaf), digest) == ours


def test_an_unknown_digest_is_refused() -> None:
    with pytest.raises(ParseError, match="nonsense"):
        certs.fingerprint(b"", "nonsense")


@calmly
@given(
    st.integers(1, 2**159 - 1),
    st.datetimes(datetime(1950, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),
    st.text(min_size=1, max_size=80),
)
def test_templates_read_back(serial: int, moment: datetime, name: str) -> None:
    by, start = signer("ec:secp256r1"), moment.replace(microsecond=0)
    issuer = names.common_name("Puppet CA: x")
    found = seal(name, by.public_key, issuer, by, serial=serial, start=start, end=start)
    assert found.serial_number == serial
    assert found.not_valid_before_utc == found.not_valid_after_utc == start
    assert certs.common_name(found) == name
    assert certs.is_signed_by(found, by.public_key)


@pytest.mark.parametrize("data", [b"", b"x", b"\x30\x00"])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="certificate"):
        certs.load_der(data)


def test_a_root_of_version_1_is_read() -> None:
    by, name = signer("ec:secp256r1"), names.common_name("Old Root")
    algorithm = keys.signature_algorithm(by.public_key)
    times = der.sequence(der.time(NOW), der.time(NOW + DAY))
    spki = keys.public_info(by.public_key)
    unsigned = der.sequence(der.integer(1), algorithm, name, times, name, spki)
    root = certs.seal(unsigned, by)
    assert certs.subject(root) == certs.issuer(root) == name
    assert certs.is_self_issued(root)
    assert certexts.extensions_of(root) == ()
    assert keys.same_key(certs.public_key(root), by.public_key)
    openssl("x509", "-noout", stdin=certs.to_pem(root))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (der.integer(1), "tag 0x02 where 0x30"),
        (der.sequence(der.sequence()), "tag 0x30 where 0x31"),
        (der.sequence(der.set_of([der.sequence()])), "a type and a value"),
    ],
)
def test_what_is_no_name_is_refused(name: bytes, fault: str) -> None:
    with pytest.raises(ParseError, match=fault):
        names.parse(name)


def test_openssl_takes_a_chain_we_built() -> None:
    root = make_root("Puppet Root CA: 1", signer(which="root"))
    ca = make_ca("Puppet CA: x", signer("ec:secp384r1"), root)
    for certificate in (root.certificate, ca.certificate, make_leaf("w", ca, 3)):
        openssl("asn1parse", stdin=certs.to_pem(certificate))
        said = openssl("x509", "-noout", "-text", stdin=certs.to_pem(certificate))
        assert "Version: 3" in said


def test_a_name_as_text_is_one_line() -> None:
    name = names.common_name("x\n0x0002 \x1b\u00e4")
    assert names.slashes(name) == r"/CN=x\x0A0x0002 \x1B\xC3\xA4"
    assert names.commas(name) == "CN=x\\x0A0x0002 \\x1B\u00e4"
