"""Extensions: the same bytes as cryptography writes, and lenient reading."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from x509_world import calmly

from reseal.errors import ParseError
from reseal.x509 import certexts, der, names, oids
from reseal.x509.certexts import AuthorityKeyId, Extension

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
AGREEMENT = {"encipher_only", "decipher_only"}
hosts = st.from_regex(r"[a-z0-9*][a-z0-9.-]{0,60}", fullmatch=True)
alt_names = st.one_of(
    hosts.map("DNS:{}".format),
    st.ip_addresses().map("IP:{}".format),
    hosts.map("email:me@{}".format),
    hosts.map("URI:http://{}/".format),
)


@pytest.mark.parametrize("size", range(len(USAGES) + 1))
def test_key_usage_is_what_cryptography_writes(size: int) -> None:
    for chosen in combinations(USAGES, size):
        ours = certexts.key_usage(*chosen)
        assert certexts.read_key_usage(ours) == frozenset(chosen)
        if chosen and (not AGREEMENT & {*chosen} or "key_agreement" in chosen):
            theirs = x509.KeyUsage(**{name: name in chosen for name in USAGES})
            assert ours.value == theirs.public_bytes()


@pytest.mark.parametrize(("ca", "length"), [(True, None), (True, 0), (False, None)])
def test_basic_constraints_are_what_cryptography_writes(
    ca: bool, length: int | None
) -> None:
    ours = certexts.basic_constraints(ca, length)
    assert ours.critical
    assert ours.value == x509.BasicConstraints(ca, length).public_bytes()
    assert certexts.read_basic_constraints(ours) == (ca, length)


def test_purposes_and_identifiers_are_what_cryptography_writes() -> None:
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    ours = certexts.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH)
    assert ours.value == x509.ExtendedKeyUsage(purposes).public_bytes()
    assert certexts.read_extended_key_usage(ours) == (
        oids.SERVER_AUTH,
        oids.CLIENT_AUTH,
    )
    ski = certexts.subject_key_id(b"k" * 20)
    assert ski.value == x509.SubjectKeyIdentifier(b"k" * 20).public_bytes()
    assert certexts.read_subject_key_id(ski) == b"k" * 20


def test_authority_key_identifiers_may_have_any_of_their_parts() -> None:
    issuer = names.common_name("Puppet CA: x")
    for key_id in (None, b"k" * 20):
        for name in (None, issuer):
            for serial in (None, 1, 200):
                ours = certexts.authority_key_id(key_id, name, serial)
                found = certexts.read_authority_key_id(ours)
                assert found == AuthorityKeyId(key_id, name, serial)
    theirs = x509.AuthorityKeyIdentifier(
        b"k" * 20,
        [x509.DirectoryName(x509.Name.from_rfc4514_string("CN=Puppet CA: x"))],
        200,
    )
    full = certexts.authority_key_id(b"k" * 20, issuer, 200)
    assert full.value == theirs.public_bytes()


@calmly
@given(st.lists(alt_names))
def test_alt_names_read_back_in_order(wanted: list[str]) -> None:
    ours = certexts.subject_alt_name(wanted)
    assert certexts.alt_names([ours]) == tuple(wanted)
    raw = certexts.read_general_names(ours)
    assert certexts.subject_alt_name(raw) == ours


def test_alt_names_are_what_cryptography_writes() -> None:
    theirs = x509.SubjectAlternativeName(
        [
            x509.DNSName("web01"),
            x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
            x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        ]
    )
    ours = certexts.subject_alt_name(["DNS:web01", "IP:10.1.2.3", "IP:2001:db8::1"])
    assert ours.value == theirs.public_bytes()
    assert not ours.critical


def test_alt_names_of_unknown_types_are_kept() -> None:
    other = der.tlv(0xA4, names.common_name("x"))
    found = certexts.subject_alt_name([other, "DNS:a"])
    assert certexts.read_general_names(found)[0] == other
    assert certexts.alt_names([found])[0].startswith("type 4:")


@pytest.mark.parametrize("wrong", ["web01", "DNS:", "IP:web01", "dns:x", "DNS:bär"])
def test_what_is_no_alt_name_is_refused(wrong: str) -> None:
    with pytest.raises(ParseError, match="is not DNS:name or IP:address"):
        certexts.subject_alt_name([wrong])


def test_comments_are_ia5_or_as_ruby_wrote_them() -> None:
    assert certexts.comment("abc").value == b"\x16\x03abc"
    assert certexts.comment("abc", utf8=True).value == b"\x0c\x03abc"


@calmly
@given(st.text(), st.booleans())
def test_extensions_read_back(value: str, critical: bool) -> None:
    extension = certexts.text_extension(f"{oids.PRIVATE}.7", value, critical)
    assert certexts.parse(der.sequence(extension.encode())) == (extension,)
    assert certexts.puppet_extensions([extension]) == {extension.oid: value}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x0c\x03web", "web"),
        (b"\x13\x03web", "web"),
        (b"\x16\x03web", "web"),
        (b"\x1e\x06\x00w\x00e\x00b", "web"),
        (b"web", "web"),
        (b"\x0c\x05web", "\x0c\x05web"),
        (b"\x02\x01\x2a", "\x02\x01*"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_values_that_are_not_utf8_strings_are_read(value: bytes, text: str) -> None:
    assert certexts.read_text(value) == text


def test_only_what_is_below_puppets_arc_is_puppets() -> None:
    found = (
        Extension(oids.ARC, False, b"\x0c\x00"),
        Extension(f"{oids.ARC}0.1", False, b"\x0c\x00"),
        Extension(f"{oids.REGISTERED}.1", False, b"\x0c\x01a"),
    )
    assert certexts.puppet_extensions(found) == {f"{oids.REGISTERED}.1": "a"}
    assert found[2].name == "pp_uuid"


def test_differences_are_by_name_and_not_by_order() -> None:
    one = [certexts.comment("a"), certexts.basic_constraints(False)]
    assert certexts.differences(one, one[::-1]) == ()
    role = certexts.text_extension(f"{oids.REGISTERED}.13", "db")
    changed = certexts.text_extension(f"{oids.REGISTERED}.13", "web")
    assert certexts.differences([*one, role], [*one, changed]) == ("pp_role",)
    assert certexts.differences(one, one[:1]) == (oids.BASIC_CONSTRAINTS,)


@pytest.mark.parametrize(
    "data",
    [b"\x02\x01\x01", b"\x30\x02\x30\x00", b"\x30\x05\x30\x03\x02\x01\x01", b"x"],
)
def test_what_is_no_list_of_extensions_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        certexts.parse(data)


@pytest.mark.parametrize(
    ("name", "dotted"),
    [
        ("pp_uuid", f"{oids.ARC}.1.1"),
        ("pp_owner", f"{oids.ARC}.1.26"),
        ("pp_cli_auth", f"{oids.ARC}.3.39"),
        ("challengePassword", "1.2.840.113549.1.9.7"),
        ("1.2.3", "1.2.3"),
        ("nonsense", None),
        ("1", None),
        ("1..2", None),
    ],
)
def test_names_and_numbers_of_object_identifiers(name: str, dotted: str | None) -> None:
    assert oids.dotted(name) == dotted
