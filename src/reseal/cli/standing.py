"""Whether a certificate stands, judged quickly for many.

The chain and the lists are read and proven once.  A certificate that names the CA
and the CA's key as its issuer then costs one look at the list; to check thousands of
signatures for a list would take seconds, and `prove` is there for that.  What names
another key, as after a regeneration, is always proven.  The reasons are OpenSSL's,
as `puppet cert` shows them.

Sources: RFC 5280 section 6.1.3; OpenSSL, `crypto/x509/x509_txt.c`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509

from reseal.errors import ChainInvalid
from reseal.store.protocol import Store
from reseal.x509 import bundle, certexts, der
from reseal.x509.certificate import subject, subject_key_id
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

    def prove(self, certificate: x509.Certificate) -> str | None:
        """Return why a certificate does not stand, its signature checked, or None."""
        try:
            bundle.verify_chain(certificate, self.chain, self._crls, self.at)
        except ChainInvalid as error:
            return error.reason
        return None

    def problem(self, certificate: x509.Certificate) -> str | None:
        """Return why a certificate does not stand, or None if it does."""
        if not self.is_quick or not self.is_ours(certificate):
            return self.prove(certificate)
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return self.problem_of(certificate.serial_number, begin, end)

    @property
    def is_quick(self) -> bool:
        """Whether the CA stands itself, so that `problem_of` will do."""
        return not self._above and self._own is not None

    def problem_of(self, serial: int, begin: datetime, end: datetime) -> str | None:
        """Return why one of our certificates does not stand, or None if it does."""
        if self.at > end:
            return "certificate has expired"
        if self.at < begin:
            return "certificate is not yet valid"
        revoked = self._own is not None and self._own.revoked(serial)
        return "certificate revoked" if revoked else None

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
        return self.prove(self.ca)

    @cached_property
    def _issuer(self) -> tuple[bytes, bytes]:
        """The CA's name, and its key identifier as an AKI has it."""
        key_id = certexts.authority_key_id(subject_key_id(self.ca))
        return subject(self.ca), der.parse(key_id.value).content

    @cached_property
    def mark(self) -> str:
        """What tells this CA's certificates, once known as such, from another's."""
        return hashlib.sha256(b"".join(self._issuer)).hexdigest()

    def is_ours(self, certificate: x509.Certificate) -> bool:
        """Say whether a certificate names this CA and its key as its issuer."""
        name, key_id = self._issuer
        tbs = certificate.tbs_certificate_bytes
        return name in tbs and key_id in tbs
