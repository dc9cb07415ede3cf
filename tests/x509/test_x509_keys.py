"""Keys: made, kept as Puppet keeps them, named, and refused."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from x509_world import CADIRS, openssl, signer

from reseal.errors import ParseError, UnsuitableKey
from reseal.x509 import der, keys, pem

RSA_KEY = keys.generate("rsa:2048")
ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("rsa:2048", b"RSA PRIVATE KEY"),
        ("ec:secp256r1", b"EC PRIVATE KEY"),
        ("ec:secp384r1", b"EC PRIVATE KEY"),
    ],
)
def test_keys_are_kept_as_puppet_keeps_them(kind: str, label: bytes) -> None:
    key = keys.generate(kind)
    pem = keys.dump_private(key)
    assert pem.startswith(b"-----BEGIN " + label)
    assert keys.same_key(keys.load_private(pem).public_key(), key.public_key())
    assert keys.describe(key.public_key()) == kind
    assert keys.weakness(key.public_key()) is None


def test_the_curve_may_have_puppets_name_for_it() -> None:
    assert keys.describe(keys.generate("ec:prime256v1").public_key()) == "ec:secp256r1"


@pytest.mark.parametrize("kind", ["rsa:1024", "rsa", "rsa:x", "ec:brainpool", "dsa:1"])
def test_other_kinds_are_not_made(kind: str) -> None:
    with pytest.raises(UnsuitableKey, match=kind) as caught:
        keys.generate(kind)
    assert "rsa:4096" in str(caught.value.hint)


@pytest.mark.parametrize("cipher", ["-des3", "-aes128", "-aes256"])
@pytest.mark.parametrize("traditional", [True, False])
def test_encrypted_keys_of_older_releases_are_read(
    cipher: str, traditional: bool
) -> None:
    plain = keys.dump_private(keys.generate("ec:secp256r1"))
    form = ("ec",) if traditional else ("pkcs8", "-topk8", "-v2", cipher[1:])
    arguments = (cipher, "-passout") if traditional else ("-passout",)
    pem = openssl(*form, *arguments, "pass:secret words", stdin=plain).encode()
    assert keys.dump_private(keys.load_private(pem, b"secret words")) == plain
    with pytest.raises(ParseError, match="does not open") as caught:
        keys.load_private(pem, b"other words")
    assert "words" not in str(caught.value)
    with pytest.raises(ParseError, match="is encrypted"):
        keys.load_private(pem)


def test_a_passphrase_for_a_key_in_clear_does_no_harm() -> None:
    pem = keys.dump_private(keys.generate("ec:secp256r1"))
    assert keys.dump_private(keys.load_private(pem, b"unneeded")) == pem


@pytest.mark.parametrize(
    "text", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nYQ==\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_refused(text: bytes) -> None:
    with pytest.raises(ParseError, match="private key: not a key"):
        keys.load_private(text)
    with pytest.raises(ParseError, match="public key: not a key"):
        keys.load_public(text)


def damaged(part: int) -> bytes:
    """Return the PEM of an RSA key with one of its numbers changed."""
    whole = der.parse(pem.decode(keys.dump_private(RSA_KEY))[0].der)
    numbers = [der.read_integer(each) for each in whole.children()]
    numbers[part] ^= 1 << 9
    wrong = der.sequence(*(der.integer(number) for number in numbers))
    return pem.encode("RSA PRIVATE KEY", wrong)


@pytest.mark.parametrize("part", [1, 2], ids=["modulus", "exponent"])
def test_an_rsa_key_whose_parts_contradict_each_other_is_refused(part: int) -> None:
    with pytest.raises(ParseError, match="contradict each other"):
        keys.load_private(damaged(part))


@pytest.mark.parametrize("part", range(3, 9))
def test_an_rsa_key_with_damaged_secrets_never_signs_wrongly(part: int) -> None:
    signature = keys.LocalSigner(keys.load_private(damaged(part))).sign(b"data")
    public = RSA_KEY.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, b"data", padding.PKCS1v15(), hashes.SHA256())


def test_a_ca_has_an_rsa_or_ec_key() -> None:
    pem = openssl("genpkey", "-algorithm", "ed25519").encode()
    with pytest.raises(UnsuitableKey, match="neither RSA nor EC"):
        keys.load_private(pem)
    with pytest.raises(UnsuitableKey, match="a CA's key is RSA or EC"):
        keys.throwaway(ED25519)


def test_nodes_may_have_an_ed25519_key_but_no_dsa_key() -> None:
    assert keys.describe(ED25519) == "ed25519"
    assert keys.same_key(keys.load_public(keys.dump_public(ED25519)), ED25519)
    dsa = openssl("dsaparam", "-genkey", "-noout", "1024").encode()
    with pytest.raises(UnsuitableKey):
        keys.load_public(openssl("dsa", "-pubout", stdin=dsa).encode())


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp256r1", "ec:secp384r1"])
def test_identifiers_are_those_of_everybody_else(kind: str) -> None:
    public = signer(kind).public_key
    theirs = x509.SubjectKeyIdentifier.from_public_key(public).digest
    assert keys.key_id(public) == theirs
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = openssl("dgst", "-sha256", "-c", stdin=spki).split("= ")[1].strip()
    assert keys.key_fingerprint(public) == digest.upper()


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp256r1", "ec:secp384r1"])
def test_signers_sign_with_sha256(kind: str) -> None:
    mine = signer(kind)
    signature, public = mine.sign(b"data"), mine.public_key
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, b"data", padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, b"data", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:secp384r1"])
def test_throwaways_have_the_same_algorithm_and_the_smallest_key(kind: str) -> None:
    public = signer(kind).public_key
    draft = keys.throwaway(public)
    ours = keys.signature_algorithm(public)
    assert keys.signature_algorithm(draft.public_key) == ours
    assert keys.describe(draft.public_key) in ("rsa:1024", "ec:secp256r1")
    assert keys.throwaway(public) is draft


def test_short_rsa_keys_and_odd_curves_are_weak() -> None:
    short = keys.throwaway(signer().public_key).public_key
    assert keys.weakness(short) == "rsa:1024 is weaker than rsa:2048"
    odd = ec.generate_private_key(ec.SECP256K1()).public_key()
    assert "secp256k1" in str(keys.weakness(odd))
    assert keys.weakness(ED25519) is None


@pytest.mark.parametrize("cadir", ["puppet-5.5", "puppetserver-7", "puppetserver-8"])
def test_real_keys_come_out_as_they_went_in(cadir: str) -> None:
    private = (CADIRS / cadir / "ca_key.pem").read_bytes()
    public = (CADIRS / cadir / "ca_pub.pem").read_bytes()
    assert keys.dump_private(keys.load_private(private)) == private
    assert keys.dump_public(keys.load_public(public)) == public
    key = keys.load_private(private).public_key()
    assert keys.same_key(key, keys.load_public(public))
