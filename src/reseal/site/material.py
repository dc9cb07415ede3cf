"""Certificates, revocation lists and services of a node, by what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate, by what tells it apart.

    Attributes:
        subject: Common name.
        issuer: Common name of the issuer; never enough to tell two CAs apart.
        serial: Serial number.
        fingerprint: SHA-256 over the certificate's DER.
        key_fingerprint: SHA-256 over the DER of its SubjectPublicKeyInfo.
        key: Kind and size, as `rsa:4096` or `ec:secp256r1`.
        not_before: Aware, UTC.
        not_after: Aware, UTC.
        alt_names: As `DNS:name` and `IP:address`, in the certificate's order.
        extensions: Puppet's extensions: dotted OID to value.
        identifier: Its subjectKeyIdentifier in hex, and
        authority: the key identifier of its issuer; empty where it has none.
    """

    subject: str
    issuer: str
    serial: int
    fingerprint: str
    key_fingerprint: str
    key: str
    not_before: datetime
    not_after: datetime
    alt_names: tuple[str, ...] = ()
    extensions: dict[str, str] = field(default_factory=dict)
    identifier: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class CrlFacts:
    """A revocation list on a node.

    Attributes:
        issuer: Common name of the issuer.
        number: cRLNumber, or None where the list has none.
        next_update: Aware, UTC; None where the list has none.
        entries: How many serial numbers it lists.
        fingerprint: SHA-256 over its DER.
    """

    issuer: str
    number: int | None
    next_update: datetime | None
    entries: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service of the node's service manager.

    Attributes:
        name: Its name there.
        active: It runs now.
        enabled: It starts at boot; None where the manager does not say.
    """

    name: str
    active: bool
    enabled: bool | None
