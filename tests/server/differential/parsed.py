"""Certificates as a server sent them, read from their DER.

A library would refuse what the cases are about: keys of 512 bits, values that are
not DER.

Sources: RFC 5280 section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from reseal.x509 import certexts, der, names, pem
from reseal.x509.certexts import Extension

LABEL = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate.

    Attributes:
        der: The whole of it.
        tbs: What is signed of it.
        version: 3 for v3.
        serial: Its number.
        algorithm: Dotted OID of the signature's algorithm.
        issuer: DER of the issuer's name.
        subject: DER of its own.
        not_before: Aware, UTC.
        not_after: Aware, UTC.
        spki: DER of its SubjectPublicKeyInfo.
        extensions: In its order.
        signature: Its bytes.
    """

    der: bytes
    tbs: bytes
    version: int
    serial: int
    algorithm: str
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: tuple[Extension, ...]
    signature: bytes

    @property
    def pem(self) -> bytes:
        """The certificate as Puppet writes it."""
        return pem.encode(LABEL, self.der)

    @property
    def common_name(self) -> str:
        """The subject's first common name."""
        return names.read_common_name(self.subject)


def parse(data: bytes) -> Certificate:
    """Return the certificate of its DER."""
    tbs, algorithm, signature = der.parse(data).children()
    version, serial, _, issuer, validity, subject, spki, *rest = tbs.children()
    start, end = validity.children()
    listed = [part for part in rest if part.tag == 0xA3]
    return Certificate(
        der=data,
        tbs=tbs.raw,
        version=der.read_integer(version.children()[0]) + 1,
        serial=der.read_integer(serial),
        algorithm=der.read_oid(algorithm.children()[0]),
        issuer=issuer.raw,
        subject=subject.raw,
        not_before=der.read_time(start),
        not_after=der.read_time(end),
        spki=spki.raw,
        extensions=certexts.parse(listed[0].content) if listed else (),
        signature=der.read_bit_string(signature),
    )


def load(data: bytes) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM file, in order."""
    return tuple(parse(b.der) for b in pem.decode(data) if b.label == LABEL)


def is_signed_by(tbs: bytes, signature: bytes, spki: bytes) -> bool:
    """Say whether an RSA key signed something with SHA-256."""
    key = load_der_public_key(spki)
    assert isinstance(key, rsa.RSAPublicKey), "the CA's key is RSA"
    try:
        key.verify(signature, tbs, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
