"""Requests: what real clients send is read, what cannot be read says why."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA512, HashAlgorithm
from hypothesis import given
from hypothesis import strategies as st
from x509_world import CADIRS, DATA, calmly, openssl, signer

from reseal.errors import InvalidRequest, ParseError
from reseal.x509 import certexts, csr, der, keys, names, oids, pem
from reseal.x509.csr import build_request, parse_request

UUID = certexts.text_extension(f"{oids.REGISTERED}.1", "ED803750-E3C7")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)

BUILT = build_request(signer(), "web01", ["DNS:x", "IP:10.0.0.1"]).der

SHA1_RSA, SHA512_RSA = "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.13"


def info(
    *,
    version: int = 0,
    subject: bytes | None = None,
    spki: bytes | None = None,
    attributes: bytes = b"",
) -> bytes:
    """Return what is signed of a request, as wrong as the arguments are."""
    return der.sequence(
        der.integer(version),
        names.common_name("web01") if subject is None else subject,
        keys.public_info(RSA_KEY.public_key()) if spki is None else spki,
        der.tlv(0xA0, attributes),
    )


def request(body: bytes, algorithm: str = SHA512_RSA, sign: bool = True) -> bytes:
    """Return the PEM of a request that the RSA key signed."""
    digest: HashAlgorithm = SHA1() if algorithm == SHA1_RSA else SHA512()
    hashed = hashlib.new(digest.name, body, usedforsecurity=False).digest()
    signature = RSA_KEY.sign(hashed, PKCS1v15(), Prehashed(digest))
    identifier = der.sequence(der.oid(algorithm), der.null())
    found = signature if sign else bytes(len(signature))
    return pem.encode(csr.LABEL, der.sequence(body, identifier, der.bit_string(found)))


def asking(oid: str, *extensions: certexts.Extension) -> bytes:
    """Return an attribute that asks for extensions."""
    value = der.sequence(*(extension.encode() for extension in extensions))
    return der.sequence(der.oid(oid), der.set_of([value]))


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp256r1", "ec:secp384r1"])
def test_openssl_verifies_what_we_build(kind: str) -> None:
    built = build_request(
        signer(kind),
        "web01.example.com",
        ["DNS:www.example.com", "IP:10.9.8.7", "IP:2001:db8::1"],
        [UUID],
        [(oids.CHALLENGE, "secret")],
    )
    said = openssl("req", "-verify", "-noout", "-text", stdin=built.pem)
    assert "verify OK" in said
    assert "DNS:www.example.com, IP Address:10.9.8.7, IP Address:2001:DB8" in said
    assert "challengePassword        :secret" in said
    openssl("asn1parse", stdin=built.pem)


@calmly
@given(printable, st.lists(printable, max_size=3), printable)
def test_requests_read_back(name: str, values: list[str], password: str) -> None:
    arc = f"{oids.PRIVATE}."
    wanted = [certexts.text_extension(f"{arc}{n}", v) for n, v in enumerate(values, 1)]
    attributes = [(oids.CHALLENGE, password)]
    built = build_request(signer("ec:secp256r1"), name, ["DNS:a"], wanted, attributes)
    found = parse_request(b"text\n" + built.pem + b"text")
    assert found == built
    assert found.certname == name
    assert found.alt_names == ("DNS:a",)
    assert found.signature_valid
    assert certexts.puppet_extensions(found.extensions) == {
        extension.oid: value for extension, value in zip(wanted, values, strict=True)
    }
    challenge = found.attribute(oids.CHALLENGE)
    assert challenge is not None
    assert challenge.text == password


@pytest.mark.parametrize("cadir", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_requests_of_real_agents_are_read(cadir: str) -> None:
    path = CADIRS / cadir / "requests" / "pending.example.com.pem"
    found = parse_request(path.read_bytes())
    assert found.certname == "pending.example.com"
    assert found.pem == path.read_bytes()
    assert (found.version, found.digest, found.signature_valid) == (0, "SHA256", True)
    renew = found.attribute(oids.PP_AUTH_AUTO_RENEW)
    assert (renew.text if renew else None) == (
        "true" if cadir == "puppetserver-8" else None
    )


@pytest.mark.parametrize(
    "path", sorted((DATA / "requests").glob("*.pem")), ids=lambda path: path.stem
)
def test_recorded_requests_are_read(path: Path) -> None:
    found = parse_request(path.read_bytes())
    assert found.signature_valid
    assert found.digest == "SHA256"
    assert found.version == (2 if path.stem == "generate-7" else 0)
    if "attributes" in path.stem:
        values = {
            each.name: certexts.read_text(each.value) for each in found.extensions
        }
        assert values["pp_role"] == "web"
        assert values["pp_datacenter"] == "Zürich"
        challenge = found.attribute(oids.CHALLENGE)
        assert challenge is not None
        assert challenge.text == "s3cret"
    if "alt-names" in path.stem:
        names = ("DNS:alt.example.com", "DNS:www.example.com", "IP:192.0.2.7")
        assert found.alt_names == names


def test_version_2_of_puppetserver_ca_generate_is_read() -> None:
    found = parse_request(request(info(version=2)))
    assert (found.version, found.signature_valid) == (2, True)


def test_names_over_64_characters_are_read_without_a_warning() -> None:
    name = f"{'n' * 80}.example.com"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = parse_request(build_request(signer("ec:secp256r1"), name).pem)
    assert found.certname == name


@pytest.mark.parametrize(
    ("digest", "name"), [("md5", "MD5"), ("sha1", "SHA1"), ("sha512", "SHA512")]
)
def test_old_and_new_digests_are_verified(digest: str, name: str) -> None:
    made = openssl(
        *("req", "-new", "-newkey", "rsa:2048", "-noenc", "-keyout", "/dev/null"),
        *("-subj", "/CN=old", f"-{digest}"),
    ).encode()
    found = parse_request(made[made.index(b"-----BEGIN CERT") :])
    assert (found.digest, found.signature_valid) == (name, True)
    broken = bytearray(found.der)
    broken[-1] ^= 1
    assert csr.parse_der(bytes(broken)).signature_valid is False


def test_a_signature_of_another_key_or_nobody_is_not_valid() -> None:
    other = keys.public_info(signer().public_key)
    assert parse_request(request(info(spki=other))).signature_valid is False
    assert parse_request(request(info(), sign=False)).signature_valid is False
    assert parse_request(request(info(), SHA1_RSA)).signature_valid is True


def test_ec_and_ed25519_requests_of_openssl_are_read() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    body = info(spki=keys.public_info(private.public_key()))
    identifier = der.sequence(der.oid("1.3.101.112"))
    signed = der.sequence(body, identifier, der.bit_string(private.sign(body)))
    found = csr.parse_der(signed)
    assert (found.digest, found.signature_valid) == ("", True)
    assert keys.describe(found.public_key) == "ed25519"
    ec = (DATA / "x509text" / "ed25519-request.pem").read_bytes()
    assert parse_request(ec).signature_valid


def test_the_other_label_and_text_around_are_read() -> None:
    built = build_request(signer("ec:secp256r1"), "web01")
    text = built.pem.replace(b"CERTIFICATE REQ", b"NEW CERTIFICATE REQ")
    around = b"Certificate Request:\n    Data:\r\n" + text + b"\ngarbage\n"
    assert parse_request(around) == built


def test_microsofts_attribute_is_read_and_marked() -> None:
    found = parse_request(
        request(info(attributes=asking(oids.MS_EXTENSION_REQUEST, UUID)))
    )
    assert (found.extensions, found.microsoft) == ((UUID,), True)
    both = asking(oids.MS_EXTENSION_REQUEST, UUID) + asking(oids.EXTENSION_REQUEST)
    found = parse_request(request(info(attributes=both)))
    assert (found.extensions, found.microsoft) == ((), False)


def test_a_subject_without_common_name_has_an_empty_one() -> None:
    assert parse_request(request(info(subject=der.sequence()))).certname == ""


def test_a_request_without_the_field_of_attributes_is_read() -> None:
    fields = der.parse(info()).children()[:3]
    found = parse_request(request(der.sequence(*(field.raw for field in fields))))
    assert (found.attributes, found.extensions, found.alt_names) == ((), (), ())


def test_attributes_of_a_wrong_shape_are_a_fault() -> None:
    with pytest.raises(InvalidRequest, match="attribute: is not OID and values"):
        parse_request(request(info(attributes=der.sequence(der.oid("1.2.3")))))
    broken = der.sequence(der.oid("1.2.840.113549.1.9.14"), der.set_of([]))
    assert parse_request(request(info(attributes=broken))).extensions == ()


def test_parameters_of_a_signature_algorithm_are_a_fault() -> None:
    body = info()
    odd = der.sequence(der.oid(SHA512_RSA), der.integer(1))
    whole = der.sequence(body, odd, der.bit_string(b"x"))
    with pytest.raises(InvalidRequest, match="is empty or has parameters"):
        csr.parse_der(whole)


def test_the_first_of_two_common_names_counts() -> None:
    parts = [names.common_name(name)[2:] for name in ("first", "second")]
    found = parse_request(request(info(subject=der.sequence(*parts))))
    assert found.certname == "first"


def test_every_fault_is_listed_at_once() -> None:
    twice = asking(oids.EXTENSION_REQUEST, UUID, UUID)
    body = info(subject=der.integer(1), spki=der.sequence(), attributes=twice)
    with pytest.raises(InvalidRequest) as caught:
        parse_request(request(body, "1.2.3"))
    assert len(caught.value.faults) == 4
    text = str(caught.value)
    assert "tag 0x02" in text
    assert "public key" in text
    assert f"{oids.REGISTERED}.1: asked for more than once" in text
    assert "1.2.3 is unknown" in text


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "has no PEM block"),
        (b"\x30\x03\x02\x01\x00", "has no PEM block"),
        (pem.encode("CERTIFICATE", b"x"), "is a CERTIFICATE"),
        (request(info()) * 2, "holds more than one object"),
        (request(info())[:-40], "has no end"),
        (pem.encode(csr.LABEL, b"\x30\x03\x02\x01\x00"), "fields are missing"),
        (pem.encode(csr.LABEL, b"\x30\x06\x30\x00\x30\x00\x03\x00"), "fields"),
        (pem.encode(csr.LABEL, b"x"), "cut short"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault):
        parse_request(data)


@calmly
@given(st.data())
def test_damaged_requests_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever one changed byte does, nothing but ParseError comes out."""
    whole = bytearray(der.parse(BUILT).raw)
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    try:
        found = csr.parse_der(bytes(whole))
    except ParseError:
        return
    assert found.der == bytes(whole)
    assert found.signature_valid is False


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", ()),
        (" , ", ()),
        ("foo", ("DNS:foo", "DNS:web01")),
        (
            "IP:10.9.8.7,foo, DNS:bar,foo",
            ("DNS:bar", "DNS:foo", "DNS:web01", "IP:10.9.8.7"),
        ),
    ],
)
def test_dns_alt_names_are_read_as_puppet_reads_them(
    setting: str, expected: tuple[str, ...]
) -> None:
    assert csr.puppet_alt_names(setting, "web01") == expected


def test_alt_names_that_are_none_are_all_listed() -> None:
    with pytest.raises(ParseError, match=r"'www' is not .*; 'IP:x' is not"):
        build_request(signer("ec:secp256r1"), "web01", ["www", "DNS:a", "IP:x"])
