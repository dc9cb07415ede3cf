"""Bundles: several certificates, or several revocation lists, in one PEM file.

Puppet's tools keep the signing CA first and its issuers after it, up to a
self-signed root.  Issuers are found by key and not by name alone, because two
generations of a CA may bear the same name.

Sources: RFC 5280 section 6.1 and 6.3; OpenSSL, `crypto/x509/x509_txt.c` (reasons);
Puppet, `ssl/ssl_provider.rb` (`certificate_revocation = chain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from reseal.errors import ChainInvalid, ParseError
from reseal.x509 import certexts, crl, keys, names, oids, pem
from reseal.x509 import certificate as certs
from reseal.x509.crl import RevocationList
from reseal.x509.keys import PublicKey

_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


def load_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file, in order; other blocks are passed over.

    Raises:
        ParseError: There is none, or one cannot be read.
    """
    found = [block for block in pem.decode(data) if block.label in _CERTIFICATES]
    if not found:
        raise ParseError("bundle: has no certificate")
    return tuple(certs.load_der(block.der) for block in found)


def load_certificate(data: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM file, or raise `ParseError`."""
    return load_certificates(data)[0]


def load_crls(data: bytes) -> tuple[RevocationList, ...]:
    """Return the revocation lists of a PEM file, in order.

    A large one, which several may ask for one after the other, is read once; what has
    just been written here need not be read.

    Raises:
        ParseError: There is none, or one cannot be read.
    """
    for text, lists in _recent:
        if text == data:
            return lists
    found = [block for block in pem.decode(data) if block.label == crl.LABEL]
    if not found:
        raise ParseError("bundle: has no revocation list")
    lists = tuple(crl.parse(block.der) for block in found)
    for _, others in _recent[:1]:
        for new, old in zip(lists, others, strict=False):
            new.follow(old)
    _remember(data, lists)
    return lists


def dump_certificates(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates as one PEM file."""
    return b"".join(certs.to_pem(each) for each in certificates)


def dump_crls(crls: Iterable[RevocationList]) -> bytes:
    """Return revocation lists as one PEM file."""
    lists = tuple(crls)
    text = b"".join(each.pem for each in lists)
    if lists:
        _remember(text, lists)
    return text


_recent: tuple[tuple[bytes, tuple[RevocationList, ...]], ...] = ()
"""The last files of revocation lists, and what they say."""


def _remember(text: bytes, lists: tuple[RevocationList, ...]) -> None:
    global _recent
    others = [each for each in _recent if each[0] != text]
    _recent = ((text, lists), *others[:2])


def issuer_of(
    certificate: x509.Certificate, bundle: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """Return the certificate whose key signed `certificate`, or None.

    Of several with the same key, one whose validity ends last is returned.
    """
    wanted = certs.issuer(certificate)
    named = (each for each in bundle if names.same(certs.subject(each), wanted))
    signers = [c for c in named if certs.is_signed_by(certificate, certs.public_key(c))]
    return max(signers, key=lambda each: each.not_valid_after_utc, default=None)


def order(
    bundle: Sequence[x509.Certificate], signing_key: PublicKey | None = None
) -> tuple[x509.Certificate, ...]:
    """Return a chain: the signing CA first, each issuer after it, the root last.

    Args:
        bundle: Certificates in any order; what is not on the chain is left out.
        signing_key: The signing CA's; without it, the CA that issued none of the
            others, or the first if that is not one.

    Raises:
        ChainInvalid: No certificate has the key, or an issuer is missing.
    """
    chain = [_first(bundle, signing_key)]
    while not _is_root(chain[-1]):
        issuer = issuer_of(chain[-1], bundle)
        if issuer is None or issuer in chain:
            name = certs.common_name(chain[-1])
            raise ChainInvalid(name, "unable to get issuer certificate")
        chain.append(issuer)
    return tuple(chain)


def own_crl(
    ca: x509.Certificate, crls: Iterable[RevocationList]
) -> RevocationList | None:
    """Return the newest list signed with the key of `ca`, or None."""
    key, name = certs.public_key(ca), certs.subject(ca)
    named = (each for each in crls if names.same(each.issuer, name))
    signed = (each for each in named if each.is_signed_by(key))
    return max(signed, key=_age, default=None)


def _age(each: RevocationList) -> tuple[int, datetime]:
    return each.number or 0, each.this_update


def verify_chain(
    leaf: x509.Certificate,
    bundle: Sequence[x509.Certificate],
    crls: Sequence[RevocationList] | None,
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """Prove that a certificate is to be trusted and return its chain, leaf first.

    Args:
        leaf: The certificate, a node's or a CA's.
        bundle: What is trusted; the chain must end in one of its self-signed roots.
        crls: A current list of every CA on the chain must be among them; None
            leaves revocation out.
        at: The time to judge validity at.

    Raises:
        ChainInvalid: With OpenSSL's reason, and of several the one that OpenSSL
            would find first: revocation before validity.
    """
    chain = _path(leaf, bundle)
    for depth, ca in enumerate(chain[1:]):
        _check_ca(ca, depth)
    if crls is not None:
        for certificate, issuer in zip(chain, (*chain[1:], chain[-1]), strict=True):
            _check_revocation(certificate, issuer, crls, at)
    for certificate in reversed(chain):
        _check_validity(certificate, at)
    return chain


def _path(
    leaf: x509.Certificate, bundle: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    chain = [leaf]
    while not _is_root(chain[-1]):
        issuer = issuer_of(chain[-1], bundle)
        if issuer is None or issuer in chain:
            name, first = certs.common_name(chain[-1]), len(chain) == 1
            where = "local issuer" if first else "issuer"
            raise ChainInvalid(name, f"unable to get {where} certificate")
        chain.append(issuer)
    if chain[-1] not in bundle:
        where = " in certificate chain" if len(chain) > 1 else ""
        name = certs.common_name(chain[-1])
        raise ChainInvalid(name, f"self-signed certificate{where}")
    return tuple(chain)


def _check_validity(certificate: x509.Certificate, at: datetime) -> None:
    reason = None
    if at < certificate.not_valid_before_utc:
        reason = "certificate is not yet valid"
    if at > certificate.not_valid_after_utc:
        reason = "certificate has expired"
    if reason is not None:
        raise ChainInvalid(certs.common_name(certificate), reason)


def _check_ca(ca: x509.Certificate, below: int) -> None:
    """Check that `ca` may sign certificates with `below` CAs between it and them."""
    is_ca, length = _rights(ca)
    if not is_ca:
        raise ChainInvalid(certs.common_name(ca), "invalid CA certificate")
    if length is not None and below > length:
        raise ChainInvalid(certs.common_name(ca), "path length constraint exceeded")


@lru_cache(maxsize=64)
def _rights(ca: x509.Certificate) -> tuple[bool, int | None]:
    """Return whether a certificate may sign others, and how long a path it allows."""
    extensions = certexts.extensions_of(ca)
    constraints = certexts.find(extensions, oids.BASIC_CONSTRAINTS)
    usage = certexts.find(extensions, oids.KEY_USAGE)
    if usage is not None and "key_cert_sign" not in certexts.read_key_usage(usage):
        return False, None
    if constraints is None:
        return False, None
    return certexts.read_basic_constraints(constraints)


def _check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[RevocationList],
    at: datetime,
) -> None:
    name, found = certs.common_name(certificate), own_crl(issuer, crls)
    if found is None:
        raise ChainInvalid(name, "unable to get certificate CRL")
    if at < found.this_update:
        raise ChainInvalid(name, "CRL is not yet valid")
    if found.next_update is not None and at > found.next_update:
        raise ChainInvalid(name, "CRL has expired")
    if found.revoked(certificate.serial_number) is not None:
        raise ChainInvalid(name, "certificate revoked")


def _is_root(certificate: x509.Certificate) -> bool:
    if not certs.is_self_issued(certificate):
        return False
    return certs.is_signed_by(certificate, certs.public_key(certificate))


def _first(
    bundle: Sequence[x509.Certificate], signing_key: PublicKey | None
) -> x509.Certificate:
    if signing_key is not None:
        for each in bundle:
            if keys.same_key(certs.public_key(each), signing_key):
                return each
        raise ChainInvalid("bundle", "no certificate belongs to the CA's key")
    issuers = {certs.issuer(each) for each in bundle if not _is_root(each)}
    ends = [each for each in bundle if certs.subject(each) not in issuers]
    return ends[0] if len(ends) == 1 else bundle[0]
