"""What each kind of certificate looks like.

A *dialect* is the tool whose certificates ours must equal: `server` is Puppet
Server's service, `cli` is `puppetserver ca setup`, `ruby` is the CA of Puppet 3 to
5.  Guarantee: extensions, their order and their encoding are the dialect's.

Sources: Puppet Server, `certificate_authority.clj` (`create-agent-extensions`,
`create-ca-extensions`); puppetserver-ca-cli, `local_certificate_authority.rb`;
Puppet 5.5, `ssl/certificate_factory.rb`; RFC 5280 sections 4.1.2.5 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509

from reseal.durations import LONGEST
from reseal.errors import SettingsError
from reseal.x509 import certexts, names, oids
from reseal.x509 import certificate as certs
from reseal.x509.certexts import Extension
from reseal.x509.keys import PublicKey, key_id

Dialect = Literal["server", "cli", "ruby"]

BACKDATE = timedelta(days=1)
"""From notBefore to now, for nodes whose clock is slow; the same in every dialect."""

CRL_LIFE = timedelta(days=5 * 365)
"""From thisUpdate to nextUpdate of a CA's first revocation list."""

_COMMENT = "Puppet Server Internal Certificate"
_RUBY_COMMENT = "Puppet Ruby/OpenSSL Internal Certificate"


@dataclass(frozen=True, slots=True)
class Profile:
    """How long a node's certificate lives, and in whose dialect it is written.

    Attributes:
        ttl: From now to notAfter.  Whole seconds, more than zero, at most 50 years.
        dialect: `server` or `ruby`.
        auto_renewal_ttl: Lifetime for agents that say they renew; None is `ttl`.
    """

    ttl: timedelta
    dialect: Dialect = "server"
    auto_renewal_ttl: timedelta | None = None

    def __post_init__(self) -> None:
        given = {"ca_ttl": self.ttl, "auto_renewal_ttl": self.auto_renewal_ttl}
        faults = [
            f"{name}: {ttl} is not between a second and 50 years"
            for name, ttl in given.items()
            if ttl is not None and not timedelta(seconds=1) <= ttl <= LONGEST
        ]
        if faults:
            raise SettingsError("profile", faults)

    def validity(
        self, now: datetime, *, cap: datetime, auto_renew: bool = False
    ) -> tuple[datetime, datetime]:
        """Return (notBefore, notAfter): aware, UTC, whole seconds, not past `cap`."""
        now = now.replace(microsecond=0)
        ttl = self.auto_renewal_ttl if auto_renew else None
        return now - BACKDATE, min(now + (ttl or self.ttl), cap)


def leaf_extensions(
    dialect: Dialect,
    issuer: x509.Certificate,
    public_key: PublicKey,
    alt_names: tuple[str | bytes, ...],
    requested: tuple[Extension, ...],
) -> tuple[Extension, ...]:
    """Return the extensions of a node's certificate, in the dialect's order.

    Args:
        dialect: Whose certificates to equal.
        issuer: The CA's certificate.
        public_key: The node's.
        alt_names: What the subjectAltName has; without any there is none.
        requested: Extensions below Puppet's arc.
    """
    san = (certexts.subject_alt_name(alt_names),) if alt_names else ()
    purposes = certexts.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH)
    usage = certexts.key_usage("digital_signature", "key_encipherment")
    constraints = certexts.basic_constraints(ca=False)
    subject = certexts.subject_key_id(key_id(public_key))
    authority = _authority(dialect, issuer)
    note = comment(dialect)
    if dialect == "ruby":
        return note, *requested, *san, usage, purposes, constraints, subject, authority
    if dialect == "cli":
        head = (constraints, note, authority, purposes, usage, subject)
        own = tuple(each for each in requested if each.oid == oids.PP_CLI_AUTH)
        return *(e for e in requested if e not in own), *head, *own, *san
    critical = tuple(each for each in requested if each.critical)
    plain = tuple(each for each in requested if not each.critical)
    head = (*san, note, authority, subject)
    return *head, *plain, constraints, purposes, usage, *critical


def renewed_extensions(
    dialect: Dialect,
    issuer: x509.Certificate,
    public_key: PublicKey,
    kept: tuple[Extension, ...],
) -> tuple[Extension, ...]:
    """Return a certificate's extensions for its successor: both key ids first, anew."""
    subject = certexts.subject_key_id(key_id(public_key))
    fresh = (subject, _authority(dialect, issuer))
    replaced = {each.oid for each in fresh}
    return *fresh, *(each for each in kept if each.oid not in replaced)


def ca_extensions(
    dialect: Dialect,
    subject: str | bytes,
    public_key: PublicKey,
    issuer: x509.Certificate | None = None,
    serial: int = 1,
) -> tuple[Extension, ...]:
    """Return the extensions of a CA's certificate, in the dialect's order.

    Args:
        dialect: Whose certificates to equal.
        subject: The CA's name.
        public_key: The CA's.
        issuer: The root above it; None for a self-signed one.
        serial: Its serial number, which the Ruby CA's root repeats inside.
    """
    constraints = certexts.basic_constraints(ca=True)
    usage = certexts.key_usage("key_cert_sign", "crl_sign")
    own = certexts.subject_key_id(key_id(public_key))
    above = key_id(public_key) if issuer is None else certs.subject_key_id(issuer)
    if dialect == "ruby":
        name = names.common_name(subject) if isinstance(subject, str) else subject
        authority = certexts.authority_key_id(None, name, serial)
        return comment(dialect), usage, constraints, own, authority
    authority = certexts.authority_key_id(above)
    return constraints, usage, own, comment(dialect), authority


def comment(dialect: Dialect) -> Extension:
    """Return the Netscape comment, which tells who made a certificate."""
    if dialect == "ruby":
        return certexts.comment(_RUBY_COMMENT, utf8=True)
    return certexts.comment(_COMMENT)


def puppet_values(values: Mapping[str, str]) -> tuple[Extension, ...]:
    """Return extensions of Puppet's arc for dotted OIDs and their values."""
    return certexts.build_puppet_extensions(values)


def _authority(dialect: Dialect, issuer: x509.Certificate) -> Extension:
    """Say who signs: the key identifier is copied from the CA, never recomputed."""
    key = certs.subject_key_id(issuer)
    if dialect == "server":
        return certexts.authority_key_id(
            key, certs.issuer(issuer), issuer.serial_number
        )
    return certexts.authority_key_id(key)
