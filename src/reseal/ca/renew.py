"""Renew a certificate: the same name, key and extensions, a new life.

Guarantee: only a certificate that this CA signed, that is in date and not revoked,
gets a successor; what it says of its node is copied, never widened.

Unlike Puppet Server, which behind a proxy looks at the key identifier only, the
signature and the dates are checked however the certificate came here.

Sources: Puppet Server 8, `certificate_authority.clj` (`renew-certificate!`).
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from reseal.ca.authority import Authority
from reseal.ca.issue import issue
from reseal.ca.policy import Approved, approve_renewal
from reseal.ca.profile import Profile
from reseal.clock import Clock
from reseal.errors import ChainInvalid, ParseError
from reseal.x509 import bundle, certexts, oids
from reseal.x509.crl import RevocationList


def renewable(
    certificate: x509.Certificate,
    authority: Authority,
    lists: tuple[RevocationList, ...],
    now: datetime,
) -> Approved:
    """Return the approval to renew a certificate.

    Args:
        certificate: As the caller showed it.
        authority: The CA.
        lists: The revocation lists of its chain.
        now: The time to judge at.

    Raises:
        ChainInvalid: It is not this CA's, revoked, or out of date.
        PolicyError: Its name is none for a node.
    """
    extensions = certexts.extensions_of(certificate)
    found = certexts.find(extensions, oids.AUTHORITY_KEY_ID)
    try:
        key_id = certexts.read_authority_key_id(found).key_id if found else None
    except ParseError:
        key_id = None
    if key_id != authority.issuer.key_id:
        raise ChainInvalid("certificate", "does not match signature")
    bundle.verify_chain(certificate, authority.bundle, lists, now)
    return approve_renewal(certificate)


def renew(
    approved: Approved, authority: Authority, profile: Profile, clock: Clock
) -> x509.Certificate:
    """Issue the successor; the old certificate goes on until it ends."""
    store = authority.store
    with store.claim(approved.certname):
        return issue(
            approved,
            issuer=authority.issuer,
            profile=profile,
            store=store,
            clock=clock,
        )
