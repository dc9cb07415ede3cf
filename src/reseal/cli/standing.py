"""Whether a certificate stands, judged quickly for many.

The chain and the lists are read and proven once; each certificate then costs one
signature check and one look at the list.  The reasons are OpenSSL's, as `puppet
cert` shows them.

Sources: RFC 5280 section 6.1.3; OpenSSL, `crypto/x509/x509_txt.c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509

from reseal.errors import ChainInvalid
from reseal.store.protocol import Store
from reseal.x509 import bundle
from reseal.x509.crl import RevocationList


@dataclass(frozen=True)
class Standing:
    """Judges certificates of one CA.

    Attributes:
        store: Has the CA's certificates and lists, read when they are first needed.
        at: The time to judge validity at.
    """

    store: Store
    at: datetime

    @cached_property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The CA's bundle, the signing certificate first."""
        return bundle.load_certificates(self.store.bundle())

    @property
    def ca(self) -> x509.Certificate:
        """The CA's own certificate."""
        return self.chain[0]

    def problem(self, certificate: x509.Certificate) -> str | None:
        """Return why a certificate does not stand, or None if it does."""
        if self._above or self._own is None or not self._is_ours(certificate):
            return self._slowly(certificate)
        if self.at > certificate.not_valid_after_utc:
            return "certificate has expired"
        if self.at < certificate.not_valid_before_utc:
            return "certificate is not yet valid"
        found = self._own.revoked(certificate.serial_number)
        return "certificate revoked" if found else None

    @cached_property
    def _crls(self) -> tuple[RevocationList, ...]:
        return bundle.load_crls(self.store.crls())

    @cached_property
    def _own(self) -> RevocationList | None:
        found = bundle.own_crl(self.ca, self._crls)
        late = found and found.next_update and self.at > found.next_update
        return None if late else found

    @cached_property
    def _above(self) -> str | None:
        """What is wrong with the CA itself."""
        return self._slowly(self.ca)

    def _is_ours(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self.ca)
        except Exception:  # InvalidSignature, or any of its TypeErrors and ValueErrors
            return False
        return True

    def _slowly(self, certificate: x509.Certificate) -> str | None:
        try:
            bundle.verify_chain(certificate, self.chain, self._crls, self.at)
        except ChainInvalid as error:
            return error.reason
        return None
