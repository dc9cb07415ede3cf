"""A CA that nobody runs, changed by hand.

Sources: Puppet 5.5, `ssl/certificate_authority.rb`; Puppet Server,
`certificate_authority.clj` (`sign-existing-csr!`, `delete-certificate!`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from reseal.ca.authority import Authority, load
from reseal.ca.issue import issue
from reseal.ca.policy import Approved, judge
from reseal.ca.profile import Profile
from reseal.ca.revoke import revoke
from reseal.ca.rules import Rules
from reseal.certname import Certname
from reseal.cli.hands import Allowances
from reseal.clock import Clock
from reseal.errors import NotFound
from reseal.settings import PuppetSettings
from reseal.store.protocol import Store
from reseal.x509.csr import parse_request


@dataclass(frozen=True)
class DirectHand:
    """Changes a CA's files; its key is read when it is first needed."""

    settings: PuppetSettings
    store: Store
    clock: Clock

    @cached_property
    def authority(self) -> Authority:
        """The CA; AuthorityError when it is not whole."""
        return load(self.settings.cadir, self.store)

    def submit(self, certname: Certname, pem: bytes) -> None:
        self.store.save_request(certname, pem)

    def check(self, certname: Certname, allow: Allowances) -> None:
        self._judged(certname, allow)

    def sign(self, certname: Certname, allow: Allowances) -> None:
        issue(
            self._judged(certname, allow),
            issuer=self.authority.issuer,
            profile=Profile(self.settings.ca_ttl, self.authority.layout.dialect),
            store=self.store,
            clock=self.clock,
        )
        self.store.remove_request(certname)

    def revoke(self, serials: Sequence[int]) -> None:
        revoke(
            serials,
            issuer=self.authority.issuer,
            store=self.store,
            clock=self.clock,
            dialect=self.authority.layout.dialect,
        )

    def remove(self, certname: Certname) -> None:
        with contextlib.suppress(NotFound):
            self.store.remove_certificate(certname)
        with contextlib.suppress(NotFound):
            self.store.remove_request(certname)

    def reinventory(self) -> None:
        self.store.rebuild_inventory()

    def _judged(self, certname: Certname, allow: Allowances) -> Approved:
        rules = Rules(
            ruby=self.authority.layout.ruby,
            allow_subject_alt_names=allow.alt_names,
            allow_authorization_extensions=allow.authorization,
            own_certname=self.settings.certname,
        )
        return judge(parse_request(self.store.request(certname)), certname, rules)
