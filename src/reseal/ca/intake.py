"""Take in a request that a node sends: the order of a server's checks.

Read, duplicate, arrival rules, autosign; then, with the name held, signed or kept.
Guarantee: a request that is refused leaves nothing behind but a line in the audit
log, and of two requests for one name at the same time one finds the other.

Unlike Puppet Server, a request is kept only when it is to wait: one that breaks the
rules while it is to be signed at once is not, nor one whose signature is false.

Sources: Puppet Server, `certificate_authority.clj` (`process-csr-submission!`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from reseal.audit import audit
from reseal.ca.authority import Authority
from reseal.ca.issue import issue
from reseal.ca.policy import admit, judge
from reseal.ca.profile import Profile
from reseal.ca.rules import Rules
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import (
    DuplicateCertificate,
    InvalidCertname,
    InvalidRequest,
    NotFound,
    PolicyError,
    TooManyRequests,
)
from reseal.x509.csr import Request, parse_request

Autosign = Callable[[Certname, bytes], bool]
"""Decides whether a request, in PEM, is signed without asking anybody."""


@dataclass(frozen=True, slots=True)
class Intake:
    """How a CA takes in requests.

    Attributes:
        authority: The CA.
        rules: What the site allows.
        profile: Of the certificates it signs at once.
        clock: The time now.
        autosign: Which are signed at once.
        revoked: Whether a serial number is on the CA's list.
        duplicates: A name that has a certificate or a request may send another.
        waiting: How many requests may wait.
    """

    authority: Authority
    rules: Rules
    profile: Profile
    clock: Clock
    autosign: Autosign
    revoked: Callable[[int], bool]
    duplicates: bool = False
    waiting: int = 20_000

    def receive(self, name: str, pem: bytes) -> x509.Certificate | None:
        """Sign a request or keep it, and return what was signed.

        Args:
            name: The certname of the URL, not yet checked.
            pem: What was sent.

        Raises:
            InvalidRequest: It cannot be read.
            DuplicateCertificate: The name has a certificate or a request.
            PolicyError: It may not be signed, by anybody or at once.
            TooManyRequests: Too many wait already.
        """
        try:
            return self._receive(name, pem)
        except (InvalidRequest, PolicyError) as error:
            audit("request.refused", certname=name, faults=list(error.faults))
            raise

    def _receive(self, name: str, pem: bytes) -> x509.Certificate | None:
        request = parse_request(pem)
        self._refuse_duplicate(request.certname)
        admit(request, name, self.rules)
        certname = Certname(name)
        at_once = self.autosign(certname, pem)
        approved = judge(request, name, self.rules) if at_once else None
        store = self.authority.store
        with store.claim(certname):
            self._refuse_duplicate(certname)
            if approved is None:
                self._keep(certname, request)
                return None
            certificate = issue(
                approved,
                issuer=self.authority.issuer,
                profile=self.profile,
                store=store,
                clock=self.clock,
            )
            if self.duplicates:
                self._forget_request(certname)
        return certificate

    def _keep(self, certname: Certname, request: Request) -> None:
        store = self.authority.store
        if store.count_requests() >= self.waiting:
            raise TooManyRequests(
                f"{certname}: {self.waiting} requests wait already",
                hint="sign or clean them, or raise waiting_requests",
            )
        store.save_request(certname, request.pem)
        audit("request.received", certname=certname)

    def _forget_request(self, certname: Certname) -> None:
        try:
            self.authority.store.remove_request(certname)
        except NotFound:
            return

    def _refuse_duplicate(self, name: str) -> None:
        state = None if self.duplicates else self._state(name)
        if state:
            raise DuplicateCertificate(
                f"{name} already has a {state} certificate; "
                "ignoring certificate request",
                hint=f"remove it first: puppetserver ca clean --certname {name}",
            )

    def _state(self, name: str) -> str | None:
        try:
            certname = Certname(name)
        except InvalidCertname:
            return None
        store = self.authority.store
        try:
            found = store.get(certname)
        except NotFound:
            pass
        else:
            return "revoked" if self.revoked(found.serial_number) else "signed"
        try:
            store.request(certname)
        except NotFound:
            return None
        return "requested"
