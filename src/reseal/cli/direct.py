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
from reseal.ca.policy import judge
from reseal.ca.profile import Profile
from reseal.ca.rules import Rules
from reseal.ca.sign import revoke_serials, sign
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
        request = parse_request(self.store.request(certname))
        judge(request, certname, self._rules(allow))

    def sign(self, certname: Certname, allow: Allowances) -> None:
        sign(
            self.authority,
            certname,
            rules=self._rules(allow),
            profile=Profile(self.settings.ca_ttl, self.authority.layout.dialect),
            clock=self.clock,
        )

    def revoke(self, serials: Sequence[int]) -> None:
        revoke_serials(self.authority, tuple(serials), self.clock)

    def remove(self, certname: Certname) -> None:
        with contextlib.suppress(NotFound):
            self.store.remove_certificate(certname)
        with contextlib.suppress(NotFound):
            self.store.remove_request(certname)

    def reinventory(self) -> None:
        self.store.rebuild_inventory()

    def _rules(self, allow: Allowances) -> Rules:
        return Rules(
            ruby=self.authority.layout.ruby,
            allow_subject_alt_names=allow.alt_names,
            allow_authorization_extensions=allow.authorization,
            own_certname=self.settings.certname,
        )
