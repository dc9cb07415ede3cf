"""The CA as a server holds it: read again as soon as its files change.

Guarantee: every answer is made from what the cadir holds at that moment, so that
several processes, and commands beside them, agree; what has not changed is not read
or parsed twice.

Sources: Puppet Server, `certificate_authority.clj` (files are read on each request,
settings once).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509

from reseal import files
from reseal.ca import authority as authorities
from reseal.ca.authority import Authority
from reseal.ca.profile import Profile
from reseal.ca.revoke import own_list
from reseal.ca.rules import Rules
from reseal.clock import Clock
from reseal.fresh import Fresh
from reseal.server.options import CaOptions
from reseal.store.protocol import Store
from reseal.x509 import bundle
from reseal.x509.certificate import issuer
from reseal.x509.crl import RevocationList


class Office:
    """A CA's desk.

    Attributes:
        store: What the CA must not forget.
        options: How it decides.
        clock: The time now.
    """

    def __init__(
        self, cadir: Path, store: Store, options: CaOptions, clock: Clock
    ) -> None:
        self.store, self.options, self.clock = store, options, clock
        key = cadir / "ca_key.pem"
        self._authority = Fresh(
            lambda: (store.stamp("bundle"), files.stamp(key)),
            lambda: authorities.load(cadir, store),
        )
        self._lists = Fresh(
            lambda: store.stamp("crls"), lambda: bundle.load_crls(store.crls())
        )
        self._own = Fresh(
            lambda: (store.stamp("crls"), store.stamp("bundle")),
            lambda: own_list(self.authority.issuer, self.lists),
        )

    @property
    def authority(self) -> Authority:
        """The CA; AuthorityError when it cannot be loaded."""
        return self._authority.get()

    @property
    def lists(self) -> tuple[RevocationList, ...]:
        """The revocation lists it publishes, of its chain too."""
        return self._lists.get()

    @property
    def own(self) -> RevocationList:
        """The CA's own revocation list."""
        return self._own.get()

    @cached_property
    def rules(self) -> Rules:
        """What requests are held to."""
        weak = self.options.key_policy == "warn"
        return Rules(
            allow_subject_alt_names=self.options.allow_subject_alt_names,
            allow_authorization_extensions=self.options.allow_authorization_extensions,
            allow_weak_keys=weak,
            allow_weak_digests=weak,
        )

    def profile(self, ttl: timedelta | None = None) -> Profile:
        """Return what new certificates look like; `ttl` is their life if given."""
        renewing = self.options.allow_auto_renewal
        usual = Profile(
            ttl=self.options.ca_ttl,
            dialect=self.authority.layout.dialect,
            auto_renewal_ttl=self.options.auto_renewal_cert_ttl if renewing else None,
        )
        return usual if ttl is None else replace(usual, ttl=ttl)

    def has_revoked(self, certificate: x509.Certificate) -> bool:
        """Say whether a certificate is one of this CA's, and on its list."""
        if issuer(certificate) != self.own.issuer:
            return False
        return self.revoked(certificate.serial_number)

    def revoked(self, serial: int) -> bool:
        """Say whether a serial number is on the CA's list."""
        return self.own.revoked(serial) is not None
