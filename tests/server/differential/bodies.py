"""Requests for certificates, as good and as odd as clients and attackers send them.

Built from DER, because no library makes a request of version 2, signs one with MD5
or writes a common name of 300 characters.  Keys are fixed ones of
tests/data/server/keys, so that an RSA request is the same bytes in every run.

Sources: RFC 2986 (PKCS #10); RFC 8017 section 8.2 (PKCS #1 v1.5); RFC 8410.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reseal.x509 import certexts, der, keys, oids, pem
from reseal.x509.certexts import Extension

from .model import Body, World

KEYS = Path(__file__).parents[2] / "data" / "server" / "keys"
LABEL = "CERTIFICATE REQUEST"

_DIGESTS = {
    "MD5": ("1.2.840.113549.1.1.4", "1.2.840.113549.2.5"),
    "SHA1": ("1.2.840.113549.1.1.5", "1.3.14.3.2.26"),
    "SHA256": ("1.2.840.113549.1.1.11", "2.16.840.1.101.3.4.2.1"),
    "SHA512": ("1.2.840.113549.1.1.13", "2.16.840.1.101.3.4.2.3"),
}
_ECDSA_SHA256, _ED25519 = "1.2.840.10045.4.3.2", "1.3.101.112"


def key_pem(name: str) -> bytes:
    """Return a fixed private key."""
    return (KEYS / f"{name}.pem").read_bytes()


@cache
def _rsa(name: str) -> tuple[int, int, int]:
    """Return modulus, public and private exponent of a key, however small."""
    (block,) = pem.decode(key_pem(name))
    numbers = [der.read_integer(each) for each in der.parse(block.der).children()]
    return numbers[1], numbers[2], numbers[3]


@cache
def public_info(name: str) -> bytes:
    """Return the SubjectPublicKeyInfo of a fixed key."""
    if name.startswith(("rsa", "foreign")):
        modulus, exponent, _ = _rsa(name)
        key = der.sequence(der.integer(modulus), der.integer(exponent))
        algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
        return der.sequence(algorithm, der.bit_string(key))
    key_object = load_pem_private_key(key_pem(name), None)
    assert isinstance(
        key_object, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    )
    return keys.public_info(key_object.public_key())


def sign(name: str, digest: str, data: bytes) -> tuple[bytes, bytes]:
    """Return AlgorithmIdentifier and signature of `data` with a fixed key."""
    if not name.startswith(("rsa", "foreign")):
        return _sign_curve(name, data)
    algorithm, digest_oid = _DIGESTS[digest]
    modulus, _, private = _rsa(name)
    hashed = hashlib.new(digest, data, usedforsecurity=False).digest()
    info = der.sequence(
        der.sequence(der.oid(digest_oid), der.null()), der.octet_string(hashed)
    )
    size = (modulus.bit_length() + 7) // 8
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(info)) + b"\x00" + info
    signature = pow(int.from_bytes(padded, "big"), private, modulus)
    return der.sequence(der.oid(algorithm), der.null()), signature.to_bytes(size, "big")


def _sign_curve(name: str, data: bytes) -> tuple[bytes, bytes]:
    key = load_pem_private_key(key_pem(name), None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return der.sequence(der.oid(_ED25519)), key.sign(data)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(data, ec.ECDSA(hashes.SHA256()))
    return der.sequence(der.oid(_ECDSA_SHA256)), signature


def rdn(oid: str, text: str, tag: int = der.UTF8_STRING) -> bytes:
    """Return a relative distinguished name of one attribute."""
    encodings = {der.BMP_STRING: "utf-16-be", der.T61_STRING: "latin-1"}
    content = text.encode(encodings.get(tag, "utf-8"))
    return der.set_of([der.sequence(der.oid(oid), der.tlv(tag, content))])


def cn(text: str, tag: int = der.UTF8_STRING) -> tuple[str, str, int]:
    """Return a common name for `csr`."""
    return oids.COMMON_NAME, text, tag


def attribute(oid: str, *values: bytes) -> bytes:
    """Return an attribute of a request."""
    return der.sequence(der.oid(oid), der.set_of(values))


def text_attribute(oid: str, text: str) -> bytes:
    """Return an attribute with a PrintableString, as Puppet's agents write it."""
    return attribute(oid, der.tlv(der.PRINTABLE_STRING, text.encode()))


def wanted(*extensions: Extension, oid: str = oids.EXTENSION_REQUEST) -> bytes:
    """Return the attribute that asks for extensions."""
    return attribute(oid, der.sequence(*(each.encode() for each in extensions)))


def csr_der(
    subject: bytes,
    attributes: tuple[bytes, ...] = (),
    *,
    key: str = "rsa",
    signed_by: str = "",
    digest: str = "SHA256",
    version: int = 0,
    broken: bool = False,
) -> bytes:
    """Return a request's DER.

    Args:
        subject: DER of the name.
        attributes: Each in DER, in this order.
        key: Whose public half is in it.
        signed_by: Which key signs; without it, the same.
        digest: MD5, SHA1, SHA256 or SHA512, for RSA.
        version: 0 is right.
        broken: One bit of the signature is wrong.
    """
    info = der.sequence(
        der.integer(version),
        subject,
        public_info(key),
        der.tlv(0xA0, *attributes),
    )
    algorithm, signature = sign(signed_by or key, digest, info)
    if broken:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    return der.sequence(info, algorithm, der.bit_string(signature))


def csr(
    *subject: tuple[str, str, int],
    alt: tuple[str | bytes, ...] = (),
    alt_critical: bool = False,
    extensions: tuple[Extension, ...] = (),
    attributes: tuple[bytes, ...] = (),
    key: str = "rsa",
    signed_by: str = "",
    digest: str = "SHA256",
    version: int = 0,
    broken: bool = False,
    label: str = LABEL,
) -> Callable[[World], bytes]:
    """Return what makes a request in PEM, for the scenario's name unless told.

    Alt names may name `{name}`; they stand before the other extensions.
    """

    def make(world: World) -> bytes:
        parts = subject or (cn("{name}"),)
        name = der.sequence(*(rdn(o, world.expand(t), tag) for o, t, tag in parts))
        asked = [*extensions]
        if alt:
            names = [world.expand(n) if isinstance(n, str) else n for n in alt]
            asked.insert(0, certexts.subject_alt_name(names, alt_critical))
        found = (*((wanted(*asked),) if asked else ()), *attributes)
        options = {"key": key, "signed_by": signed_by, "digest": digest}
        made = csr_der(name, found, version=version, broken=broken, **options)
        return pem.encode(label, made)

    return make


def changed(body: Body, change: Callable[[bytes], bytes]) -> Callable[[World], bytes]:
    """Return what makes a body and then changes it."""

    def make(world: World) -> bytes:
        return change(body if isinstance(body, bytes) else body(world))

    return make


def joined(*bodies: Body) -> Callable[[World], bytes]:
    """Return what makes several bodies and puts them together."""

    def make(world: World) -> bytes:
        made = (body if isinstance(body, bytes) else body(world) for body in bodies)
        return b"".join(made)

    return make


def to_der(data: bytes) -> bytes:
    """Return the DER of the first PEM block."""
    return pem.decode(data)[0].der


def ext(oid: str, value: bytes | str, critical: bool = False) -> Extension:
    """Return an extension; text becomes a UTF8String."""
    return Extension(
        oid, critical, der.utf8(value) if isinstance(value, str) else value
    )
