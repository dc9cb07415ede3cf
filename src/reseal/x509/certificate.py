"""Certificates: templates, their to-be-signed bytes, and what reads them.

The bytes to be signed are put together here and not by cryptography's builder,
because a CA for Puppet must keep the issuer's name byte for byte, choose the order
of extensions, and allow names of more than 64 characters.  A draft and the real
certificate are then the same bytes under two signatures.

Sources: RFC 5280 section 4.1; Puppet, `ssl/certificate_factory.rb`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from reseal.errors import IssuanceError, ParseError
from reseal.x509 import certexts, der, keys, names, oids, signatures
from reseal.x509.certexts import Extension
from reseal.x509.keys import PublicKey, Signer

DIGESTS = ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
"""Names of the digests that fingerprints can be taken with."""

_KEPT = 256
"""How many certificates' fields and verdicts are kept, so that a CA's are read once."""


@dataclass(frozen=True, slots=True)
class Template:
    """A certificate without its signature.

    Attributes:
        subject: Common name as text, or a whole name as DER.
        issuer: DER of the issuer's name.
        issuer_key: The key that will sign; a draft's key of the same algorithm
            gives the same bytes.
        serial: Serial number, 1 or more.
        not_before: Aware, whole seconds.
        not_after: Aware, whole seconds.
        public_key: The subject's.
        extensions: In the order they will stand.
    """

    subject: str | bytes
    issuer: bytes
    issuer_key: PublicKey
    serial: int
    not_before: datetime
    not_after: datetime
    public_key: PublicKey
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that signs: its certificate, and what signs with its key.

    Attributes:
        certificate: The CA's own.
        signer: Signs with the key of `certificate`.
    """

    certificate: x509.Certificate
    signer: Signer

    def __post_init__(self) -> None:
        if not keys.same_key(public_key(self.certificate), self.signer.public_key):
            name = common_name(self.certificate)
            raise IssuanceError(f"{name}: key and certificate do not belong together")

    @property
    def draft_signer(self) -> Signer:
        """A throwaway signer whose drafts have the contents of the real thing."""
        return keys.throwaway(self.signer.public_key)

    @property
    def name(self) -> bytes:
        """DER of the CA's own name, byte for byte."""
        return subject(self.certificate)

    @property
    def key_id(self) -> bytes:
        """The CA's subjectKeyIdentifier, or what it would be without one."""
        return subject_key_id(self.certificate)


def tbs(template: Template) -> bytes:
    """Return the DER of the TBSCertificate of a template."""
    subject = template.subject
    name = names.common_name(subject) if isinstance(subject, str) else subject
    extensions = der.sequence(*(each.encode() for each in template.extensions))
    return der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(template.serial),
        keys.signature_algorithm(template.issuer_key),
        template.issuer,
        der.sequence(der.time(template.not_before), der.time(template.not_after)),
        name,
        keys.public_info(template.public_key),
        der.explicit(3, extensions) if template.extensions else b"",
    )


def seal(tbs: bytes, signer: Signer) -> x509.Certificate:
    """Sign to-be-signed bytes and return the certificate.

    Raises:
        IssuanceError: The bytes name another algorithm than the signer's.
    """
    algorithm = keys.signature_algorithm(signer.public_key)
    if _fields(tbs)[2].raw != algorithm:
        raise IssuanceError("certificate: made for a key of another algorithm")
    signature = der.bit_string(signer.sign(tbs))
    return load_der(der.sequence(tbs, algorithm, signature))


def load_der(data: bytes) -> x509.Certificate:
    """Return the certificate of its DER, or raise `ParseError`."""
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise ParseError(f"certificate: {error}") from None


def to_der(certificate: x509.Certificate) -> bytes:
    """Return a certificate's DER."""
    return certificate.public_bytes(Encoding.DER)


def to_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate's PEM as Puppet writes it."""
    return certificate.public_bytes(Encoding.PEM)


def fingerprint(
    data: bytes | x509.Certificate | x509.CertificateSigningRequest,
    digest: str = "SHA256",
) -> str:
    """Return a digest over DER as upper-case pairs with colons.

    Raises:
        ParseError: The digest is none of `DIGESTS`.
    """
    if digest.upper() not in DIGESTS:
        hint = f"use one of {', '.join(DIGESTS)}"
        raise ParseError(f"{digest}: not a digest for fingerprints", hint=hint)
    raw = data if isinstance(data, bytes) else data.public_bytes(Encoding.DER)
    found = hashlib.new(digest.lower(), raw, usedforsecurity=False)
    return found.digest().hex(":").upper()


def issuer(certificate: x509.Certificate) -> bytes:
    """Return the DER of the issuer's name, byte for byte."""
    return _fields(certificate.tbs_certificate_bytes)[3].raw


def subject(certificate: x509.Certificate) -> bytes:
    """Return the DER of the subject's name, byte for byte."""
    return _fields(certificate.tbs_certificate_bytes)[5].raw


def public_key(certificate: x509.Certificate) -> PublicKey:
    """Return the subject's key; `UnsuitableKey` if reseal does not know its kind."""
    return keys.load_public_der(_fields(certificate.tbs_certificate_bytes)[6].raw)


def common_name(certificate: x509.Certificate) -> str:
    """Return the subject's first common name, of any length; empty without one."""
    return names.read_common_name(subject(certificate))


def issuer_common_name(certificate: x509.Certificate) -> str:
    """Return the issuer's first common name; empty without one."""
    return names.read_common_name(issuer(certificate))


def subject_key_id(certificate: x509.Certificate) -> bytes:
    """Return the subjectKeyIdentifier; computed from the key if there is none."""
    extensions = certexts.extensions_of(certificate)
    extension = certexts.find(extensions, oids.SUBJECT_KEY_ID)
    if extension is None:
        return keys.key_id(public_key(certificate))
    return certexts.read_subject_key_id(extension)


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Say whether subject and issuer are one name, as in every root."""
    return names.same(subject(certificate), issuer(certificate))


def is_signed_by(certificate: x509.Certificate, key: PublicKey) -> bool:
    """Say whether the signature on a certificate was made with `key`."""
    return _is_signed(to_der(certificate), keys.public_info(key))


@lru_cache(maxsize=_KEPT)
def _is_signed(certificate: bytes, key: bytes) -> bool:
    tbs, algorithm, signature = der.parse(certificate).children()
    scheme, bits = signatures.scheme_of(algorithm.raw), der.read_bit_string(signature)
    return signatures.verify(keys.load_public_der(key), scheme, bits, tbs.raw)


@lru_cache(maxsize=_KEPT)
def _fields(tbs: bytes) -> tuple[der.Element, ...]:
    """Return version to extensions; a version that is left out is put in."""
    fields = der.parse(tbs).children()
    if fields[0].tag == 0xA0:
        return fields
    version = der.explicit(0, der.integer(0))
    return (der.parse(version), *fields)
