"""Issue end-entity certificates.

Only this module signs a node's certificate, and the order of its steps is the
design: number, draft, lint, record, sign, keep.  A crash between two steps costs
a serial number, or leaves an intent for `reseal ca check` to settle; it never
leaves a signed certificate of which the CA has no trace.

Sources: RFC 5280 sections 4.1 (fields) and 6.1.3 (validity on a path); Puppet
Server, `certificate_authority.clj` (notBefore lies one day back).
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from reseal.audit import audit
from reseal.ca.lint import lint
from reseal.ca.policy import Approved
from reseal.ca.profile import Profile, leaf_extensions, renewed_extensions
from reseal.clock import Clock
from reseal.errors import IssuanceError
from reseal.store.protocol import Store
from reseal.x509.certificate import Issuer, Template, fingerprint, seal, tbs


def issue(
    approved: Approved, *, issuer: Issuer, profile: Profile, store: Store, clock: Clock
) -> x509.Certificate:
    """Sign an approved request and return the certificate the store now holds.

    Args:
        approved: A request `policy.judge` let pass; only policy makes this type.
        issuer: The active generation.
        profile: Lifetime and dialect for this kind of certificate.
        store: Gives the serial number; keeps the intent and the certificate.
        clock: The time now, aware, UTC.

    Raises:
        LintError: The draft breaks a cited rule; the CA's key was not used.
        IssuanceError: The issuer has expired, or signing changed the contents.
        StoreError: The store failed; `Store` says what it leaves behind.
    """
    now, end = clock.now(), issuer.certificate.not_valid_after_utc
    if end <= now:
        hint = "give the CA a longer life: reseal ca extend"
        raise IssuanceError(f"the CA's certificate expired on {end:%F}", hint=hint)
    serial = store.next_serial()
    contents = tbs(_template(approved, issuer, profile, serial, now))

    draft = seal(contents, issuer.draft_signer)
    lint(draft, issuer.certificate)
    store.record_intent(draft)

    certificate = seal(contents, issuer.signer)
    if certificate.tbs_certificate_bytes != draft.tbs_certificate_bytes:
        raise IssuanceError(f"serial {serial:04X}: what was signed was not linted")
    store.add(certificate)
    audit(
        "certificate.issued",
        certname=approved.certname,
        serial=f"{serial:04X}",
        fingerprint=fingerprint(certificate),
    )
    return certificate


def _template(
    approved: Approved, issuer: Issuer, profile: Profile, serial: int, now: datetime
) -> Template:
    not_before, not_after = profile.validity(
        now,
        cap=issuer.certificate.not_valid_after_utc,
        auto_renew=approved.auto_renew,
    )
    dialect, key = profile.dialect, approved.public_key
    if approved.kept:
        extensions = renewed_extensions(dialect, issuer.certificate, key, approved.kept)
    else:
        extensions = leaf_extensions(
            dialect, issuer.certificate, key, approved.alt_names, approved.extensions
        )
    return Template(
        subject=approved.subject,
        issuer=issuer.name,
        issuer_key=issuer.signer.public_key,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        public_key=approved.public_key,
        extensions=extensions,
    )
