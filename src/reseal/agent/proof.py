"""Whether a node's certificate is good: chain, revocation, dates, key.

Sources: Puppet 8, `ssl/ssl_provider.rb` (`verify_cert_with_store`, messages).  Better
than there: a certificate whose issuer is not in the bundle is refused, not warned of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from reseal.errors import ChainInvalid, ResealError
from reseal.x509 import bundle, keys, names
from reseal.x509 import certificate as certs
from reseal.x509.crl import RevocationList
from reseal.x509.keys import PublicKey

_CLOCK = "compare this machine's clock with the server's: date -u"
_CLEAN = "on the CA: reseal cert clean {0}; here: reseal ssl clean, then run the agent"
_REPLACED = "was the CA replaced? Then: reseal ssl clean --localca, and run the agent"
_TIME = "verify time is synchronized"


class NotProven(ResealError):
    """A certificate must not be used."""


def prove(
    certificate: x509.Certificate,
    trusted: Sequence[x509.Certificate],
    crls: Sequence[RevocationList],
    key: PublicKey,
    now: datetime,
    *,
    revocation: str,
) -> None:
    """Prove that a node may use a certificate.

    Args:
        certificate: The node's.
        trusted: The CA's bundle.
        crls: The CAs' lists.
        key: The node's own.
        now: The time, aware.
        revocation: `chain`, `leaf` or nothing.

    Raises:
        NotProven: In Puppet's words, with the way out.
    """
    name = certs.common_name(certificate)
    try:
        full = crls if revocation == "chain" else None
        chain = bundle.verify_chain(certificate, trusted, full, now)
        if revocation == "leaf":
            _check_leaf(certificate, chain, crls)
    except ChainInvalid as error:
        raise _refused(error, certificate, trusted) from None
    if not keys.same_key(certs.public_key(certificate), key):
        text = f"The certificate for 'CN={name}' does not match its private key"
        raise NotProven(text, hint=_CLEAN.format(name))


def _check_leaf(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    crls: Sequence[RevocationList],
) -> None:
    name = certs.common_name(certificate)
    found = bundle.own_crl(chain[min(1, len(chain) - 1)], crls)
    if found is None:
        raise ChainInvalid(name, "unable to get certificate CRL")
    if found.revoked(certificate.serial_number) is not None:
        raise ChainInvalid(name, "certificate revoked")


def _refused(
    error: ChainInvalid,
    certificate: x509.Certificate,
    trusted: Sequence[x509.Certificate],
) -> NotProven:
    """Return Puppet's sentence for a reason of OpenSSL's."""
    subject = str(error).rpartition(f": {error.reason}")[0]
    own = subject == certs.common_name(certificate)
    issued = f"CN={certs.issuer_common_name(certificate)}" if own else f"CN={subject}"
    crl = f"The CRL issued by '{issued}'"
    told = {
        "certificate revoked": (f"Certificate 'CN={subject}' is revoked", _CLEAN),
        "certificate has expired": (
            f"The certificate 'CN={subject}' has expired, {_TIME}",
            _CLEAN if own else _CLOCK,
        ),
        "certificate is not yet valid": (
            f"The certificate 'CN={subject}' is not yet valid, {_TIME}",
            _CLOCK,
        ),
        "CRL has expired": (
            f"{crl} has expired, {_TIME}",
            "have the CA publish it anew",
        ),
        "CRL is not yet valid": (f"{crl} is not yet valid, {_TIME}", _CLOCK),
        "unable to get certificate CRL": (
            f"{crl} is missing",
            "remove crl.pem here, and it is fetched again",
        ),
    }
    if error.reason in told:
        text, hint = told[error.reason]
        return NotProven(text, hint=hint.format(subject))
    text = f"The certificate 'CN={subject}' is not to be trusted: {error.reason}"
    if error.reason == "unable to get local issuer certificate":
        issuer = names.commas(certs.issuer(certificate))
        what = f"The issuer '{issuer}' of certificate 'CN={subject}'"
        text = f"{what} is not the CA that is trusted here"
    return NotProven(text, hint=_REPLACED)
