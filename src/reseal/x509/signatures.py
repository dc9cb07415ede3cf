"""Check signatures, old ones too.

cryptography refuses MD5 and SHA-1 in requests, yet Puppet's CA signs requests that
carry them: the signature only proves possession of the key, and what is issued is
signed with SHA-256.  Whoever calls this decides what a digest is good for.

Sources: RFC 8017 section 8.2.2 and 9.2 (RSASSA-PKCS1-v1_5); RFC 3279 and RFC 5758
(identifiers); RFC 8410 (Ed25519).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from reseal.errors import ParseError
from reseal.x509 import der
from reseal.x509.keys import PublicKey

_DIGEST_OIDS = {
    "MD5": "1.2.840.113549.2.5",
    "SHA1": "1.3.14.3.2.26",
    "SHA224": "2.16.840.1.101.3.4.2.4",
    "SHA256": "2.16.840.1.101.3.4.2.1",
    "SHA384": "2.16.840.1.101.3.4.2.2",
    "SHA512": "2.16.840.1.101.3.4.2.3",
}
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA1": hashes.SHA1,
    "SHA224": hashes.SHA224,
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to sign.

    Attributes:
        name: As OpenSSL calls it, `sha256WithRSAEncryption`.
        family: `rsa`, `ec` or `ed25519`.
        digest: `SHA256` and the like; empty for Ed25519, which has no choice.
    """

    name: str
    family: str
    digest: str


_SCHEMES = {
    "1.2.840.113549.1.1.4": Scheme("md5WithRSAEncryption", "rsa", "MD5"),
    "1.2.840.113549.1.1.5": Scheme("sha1WithRSAEncryption", "rsa", "SHA1"),
    "1.2.840.113549.1.1.14": Scheme("sha224WithRSAEncryption", "rsa", "SHA224"),
    "1.2.840.113549.1.1.11": Scheme("sha256WithRSAEncryption", "rsa", "SHA256"),
    "1.2.840.113549.1.1.12": Scheme("sha384WithRSAEncryption", "rsa", "SHA384"),
    "1.2.840.113549.1.1.13": Scheme("sha512WithRSAEncryption", "rsa", "SHA512"),
    "1.2.840.10045.4.1": Scheme("ecdsa-with-SHA1", "ec", "SHA1"),
    "1.2.840.10045.4.3.1": Scheme("ecdsa-with-SHA224", "ec", "SHA224"),
    "1.2.840.10045.4.3.2": Scheme("ecdsa-with-SHA256", "ec", "SHA256"),
    "1.2.840.10045.4.3.3": Scheme("ecdsa-with-SHA384", "ec", "SHA384"),
    "1.2.840.10045.4.3.4": Scheme("ecdsa-with-SHA512", "ec", "SHA512"),
    "1.3.101.112": Scheme("ED25519", "ed25519", ""),
}


def scheme_of(algorithm: bytes) -> Scheme:
    """Return what an AlgorithmIdentifier means.

    Raises:
        ParseError: It is none, or one that reseal cannot check.
    """
    children = der.parse(algorithm).expect(der.SEQUENCE).children()
    if not children or [each.raw for each in children[1:]] not in ([], [der.null()]):
        raise ParseError("signature algorithm: is empty or has parameters")
    dotted = der.read_oid(children[0].expect(der.OID))
    if dotted not in _SCHEMES:
        raise ParseError(f"signature algorithm: {dotted} is unknown")
    return _SCHEMES[dotted]


def verify(public: PublicKey, scheme: Scheme, signature: bytes, data: bytes) -> bool:
    """Say whether `signature` over `data` was made with the key of `public`."""
    try:
        if isinstance(public, rsa.RSAPublicKey) and scheme.family == "rsa":
            return _verify_rsa(public, scheme.digest, signature, data)
        if isinstance(public, ec.EllipticCurvePublicKey) and scheme.family == "ec":
            public.verify(signature, data, ec.ECDSA(_HASHES[scheme.digest]()))
            return True
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
            return scheme.family == "ed25519"
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return False


def _verify_rsa(
    public: rsa.RSAPublicKey, digest: str, signature: bytes, data: bytes
) -> bool:
    """Check PKCS #1 v1.5 by comparing with the encoding it must have.

    The digest is taken here and not by OpenSSL, whose policy may forbid old ones.
    """
    value = hashlib.new(digest, data, usedforsecurity=False).digest()
    identifier = der.sequence(der.oid(_DIGEST_OIDS[digest]), der.null())
    expected = der.sequence(identifier, der.octet_string(value))
    found = public.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    return hmac.compare_digest(expected, found)
