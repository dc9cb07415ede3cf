"""Keys: make, load, dump and name them; sign with one wherever it lives.

A CA's key may stay on another machine, so what signs is a `Signer`, and only
`LocalSigner` holds a key.  Guarantee: a passphrase or a private key never stands in
an error message.

Sources: RFC 5280 sections 4.1.2.7 and 4.2.1.2 (key identifier, method 1); Puppet,
`ssl/key.rb` (PKCS #1 and SEC 1 PEM); NIST SP 800-57 part 1 (sizes).
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from reseal.errors import ParseError, UnsuitableKey
from reseal.x509 import der

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
"""A key that a CA or a node of ours can have."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
"""A key that a certificate can be for."""

_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "secp256r1": ec.SECP256R1,
    "prime256v1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}
_KINDS = "rsa:2048, rsa:3072, rsa:4096, ec:secp256r1 or ec:secp384r1"

_TRIAL = b"reseal: does this key sign?"

_RSA_SHA256 = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null())
_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))


class Signer(Protocol):
    """Signs with a private key that may be anywhere."""

    @property
    def public_key(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature over `data`, hashed with SHA-256.

        RSA keys sign as PKCS #1 v1.5, EC keys as ECDSA in DER.
        """


class LocalSigner:
    """A `Signer` with its key in this process."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.public_key: PublicKey = key.public_key()

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


def generate(kind: str) -> PrivateKey:
    """Return a new key of a kind such as `rsa:4096` or `ec:secp256r1`.

    Raises:
        UnsuitableKey: The kind is unknown, or too weak for anything.
    """
    family, _, detail = kind.partition(":")
    if family == "rsa" and detail.isdecimal() and 2048 <= int(detail) <= 16384:
        return rsa.generate_private_key(public_exponent=65537, key_size=int(detail))
    if family == "ec" and detail in _CURVES:
        return ec.generate_private_key(_CURVES[detail]())
    raise UnsuitableKey(f"{kind}: not a kind of key to make", hint=f"use {_KINDS}")


def load_private(pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """Return the RSA or EC key of a PEM in PKCS #1, SEC 1 or PKCS #8, or of its DER.

    Args:
        pem: The file's bytes.
        passphrase: For an encrypted key; ignored when the key is in clear.

    Raises:
        ParseError: Not a private key, or the passphrase does not open it.
        UnsuitableKey: A key, but neither RSA nor EC.
    """
    encrypted = b"ENCRYPTED" in pem
    if encrypted and passphrase is None:
        raise ParseError("private key: is encrypted", hint="give its passphrase")
    load = load_pem_private_key if b"-----BEGIN" in pem else load_der_private_key
    try:
        # OpenSSL's own check of an RSA key tests primes for a second; see _prove.
        key = load(
            pem, passphrase if encrypted else None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        what = "does not open with this passphrase" if encrypted else "not a key in PEM"
        raise ParseError(f"private key: {what}") from None
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return _prove(key)
    raise UnsuitableKey(f"private key: {type(key).__name__} is neither RSA nor EC")


def dump_private(key: PrivateKey) -> bytes:
    """Return a key as Puppet writes it: PEM in clear, PKCS #1 or SEC 1."""
    form = PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def load_public(pem: bytes) -> PublicKey:
    """Return the key of a `PUBLIC KEY` PEM; `ParseError` if it is none."""
    try:
        return _known(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm):
        raise ParseError("public key: not a key in PEM") from None


@lru_cache(maxsize=256)
def load_public_der(spki: bytes) -> PublicKey:
    """Return the key of a SubjectPublicKeyInfo.

    Raises:
        ParseError: The bytes are not a public key.
        UnsuitableKey: A key of a kind that reseal issues no certificates for.
    """
    try:
        return _known(load_der_public_key(spki))
    except UnsupportedAlgorithm:
        raise UnsuitableKey("public key: of a kind that is not supported") from None
    except ValueError:
        raise ParseError("public key: not a SubjectPublicKeyInfo") from None


def dump_public(public: PublicKey) -> bytes:
    """Return a key as a `PUBLIC KEY` PEM."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_info(public: PublicKey) -> bytes:
    """Return a key as the DER of a SubjectPublicKeyInfo."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(public: PublicKey) -> bytes:
    """Return the SHA-1 over the key's bit string, as all of Puppet's CAs do."""
    bits = der.parse(public_info(public)).children()[1]
    return hashlib.sha1(der.read_bit_string(bits), usedforsecurity=False).digest()


def key_fingerprint(public: PublicKey) -> str:
    """Return SHA-256 over the SubjectPublicKeyInfo, upper-case pairs with colons."""
    return hashlib.sha256(public_info(public)).digest().hex(":").upper()


def same_key(one: PublicKey, other: PublicKey) -> bool:
    """Say whether two public keys are one."""
    return public_info(one) == public_info(other)


def describe(public: PublicKey) -> str:
    """Return kind and size, as `rsa:4096`, `ec:secp256r1` or `ed25519`."""
    if isinstance(public, rsa.RSAPublicKey):
        return f"rsa:{public.key_size}"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ec:{public.curve.name}"
    return "ed25519"


def weakness(public: PublicKey) -> str | None:
    """Return why a key is too weak for today's peers, or None if it is not."""
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < 2048:
        return f"{describe(public)} is weaker than rsa:2048"
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return None
    if public.curve.name not in _CURVES:
        return f"{describe(public)} is not a curve of NIST's P-256 to P-521"
    return None


def signature_algorithm(public: PublicKey) -> bytes:
    """Return the AlgorithmIdentifier of what a `Signer` of this key writes.

    Raises:
        UnsuitableKey: A CA cannot have such a key.
    """
    if isinstance(public, rsa.RSAPublicKey):
        return _RSA_SHA256
    if isinstance(public, ec.EllipticCurvePublicKey):
        return _ECDSA_SHA256
    raise UnsuitableKey(f"{describe(public)}: a CA's key is RSA or EC")


def throwaway(public: PublicKey) -> Signer:
    """Return a signer for drafts: the same AlgorithmIdentifier, the smallest key.

    Its key is made once for each algorithm and forgotten with the process.
    """
    return _throwaway(signature_algorithm(public))


@cache
def _throwaway(algorithm: bytes) -> Signer:
    if algorithm == _ECDSA_SHA256:
        return LocalSigner(ec.generate_private_key(ec.SECP256R1()))
    # 1024 bits are the least cryptography makes; nobody trusts this key.
    smallest = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    return LocalSigner(smallest)


def _prove(key: PrivateKey) -> PrivateKey:
    """Return an RSA key that made a good signature: its parts belong together.

    A damaged key whose faulty signature got out would give its secret away.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        try:
            signature = key.sign(_TRIAL, padding.PKCS1v15(), hashes.SHA256())
            public = key.public_key()
            public.verify(signature, _TRIAL, padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, InvalidSignature):
            raise ParseError("private key: its parts contradict each other") from None
    return key


def _known(key: object) -> PublicKey:
    kinds = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
    if isinstance(key, kinds):
        return key
    raise UnsuitableKey(f"public key: {type(key).__name__} is not supported")
