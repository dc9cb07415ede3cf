"""What an operator does with requests and certificates, one deed a function.

Guarantee: a request is removed only after its certificate is kept; a name that has
a certificate does not get a second one without `clean`.

Sources: Puppet 5.5, `ssl/certificate_authority/interface.rb`; Puppet Server,
`certificate_authority.clj` (`sign-existing-csr!`, duplicates).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from reseal.audit import audit
from reseal.ca.authority import Authority
from reseal.ca.issue import issue
from reseal.ca.policy import judge, vouch
from reseal.ca.profile import Profile
from reseal.ca.revoke import Revocation, revoke, serials_of
from reseal.ca.rules import Rules
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import DuplicateCertificate, NotFound
from reseal.x509.certexts import Extension
from reseal.x509.certificate import to_pem
from reseal.x509.csr import Request, parse_request
from reseal.x509.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning a name did.

    Attributes:
        revocation: None if there was only a request.
        certificate: A certificate was removed.
        request: A request was removed.
    """

    revocation: Revocation | None
    certificate: bool
    request: bool


def submit(authority: Authority, certname: Certname, pem: bytes) -> Request:
    """Keep a request until somebody signs it.

    Raises:
        InvalidRequest: It cannot be read.
        DuplicateCertificate: The name has a certificate.
    """
    request = parse_request(pem)
    if has_certificate(authority, certname):
        raise DuplicateCertificate(
            f"{certname} already has a signed certificate; "
            "ignoring certificate request",
            hint=f"remove it first: reseal cert clean {certname}",
        )
    authority.store.save_request(certname, request.pem)
    return request


def sign(
    authority: Authority,
    certname: Certname,
    *,
    rules: Rules,
    profile: Profile,
    clock: Clock,
) -> x509.Certificate:
    """Sign the request that waits under a name, and remove it.

    Raises:
        NotFound: No request waits under that name.
        PolicyError: It may not be signed; the request stays.
    """
    request = parse_request(authority.store.request(certname))
    approved = judge(request, certname, rules)
    certificate = issue(
        approved,
        issuer=authority.issuer,
        profile=profile,
        store=authority.store,
        clock=clock,
    )
    authority.store.remove_request(certname)
    return certificate


def generate(
    authority: Authority,
    certname: Certname,
    public_key: PublicKey,
    *,
    profile: Profile,
    clock: Clock,
    alt_names: tuple[str, ...] = (),
    extensions: tuple[Extension, ...] = (),
) -> x509.Certificate:
    """Issue a certificate for a key made here, without a request.

    Raises:
        DuplicateCertificate: The name has a certificate.
    """
    if has_certificate(authority, certname):
        raise DuplicateCertificate(f"A Certificate already exists for {certname}")
    return issue(
        vouch(certname, public_key, alt_names, extensions),
        issuer=authority.issuer,
        profile=profile,
        store=authority.store,
        clock=clock,
    )


def revoke_name(authority: Authority, certname: Certname, clock: Clock) -> Revocation:
    """Revoke every serial number of a name that may be in use; files stay.

    Raises:
        NotFound: The CA knows no certificate of that name.
    """
    serials = serials_of(certname, authority.store, clock.now())
    return revoke_serials(authority, serials, clock)


def revoke_serials(
    authority: Authority, serials: tuple[int, ...], clock: Clock
) -> Revocation:
    """Revoke serial numbers, known to the inventory or not."""
    return revoke(
        serials,
        issuer=authority.issuer,
        store=authority.store,
        clock=clock,
        dialect=authority.layout.dialect,
    )


def clean(authority: Authority, certname: Certname, clock: Clock) -> Cleaned:
    """Revoke a name's certificates, then remove its certificate and its request.

    Raises:
        NotFound: The CA knows neither certificate nor request; nothing was done.
    """
    pending = _has_request(authority, certname)
    try:
        revocation: Revocation | None = revoke_name(authority, certname, clock)
    except NotFound:
        if not pending:
            raise
        revocation = None
    signed = has_certificate(authority, certname)
    if signed:
        authority.store.remove_certificate(certname)
    if pending:
        authority.store.remove_request(certname)
    audit("certificate.cleaned", certname=certname)
    return Cleaned(revocation, signed, pending)


def has_certificate(authority: Authority, certname: Certname) -> bool:
    """Say whether a name has a current certificate, revoked or not."""
    try:
        return bool(to_pem(authority.store.get(certname)))
    except NotFound:
        return False


def _has_request(authority: Authority, certname: Certname) -> bool:
    try:
        return bool(authority.store.request(certname))
    except NotFound:
        return False
