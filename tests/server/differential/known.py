"""What a scenario has met, and what it is called in answers.

Guarantee: a label depends on the order of a scenario's requests, on nothing else.

Sources: Puppet Server, `certificate_authority.clj` (`get-certificate-status`:
digests and serial numbers that an answer repeats).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reseal.x509 import certexts, der, oids
from reseal.x509.crl import RevocationList

from .parsed import Certificate

_SAME = timedelta(seconds=20)


@dataclass(slots=True)
class Known:
    """What is known of the values in answers.

    Attributes:
        bundle: The CA's certificates, the signing one first.
        server: Names of the server, which its messages may repeat.
        serials: Serial number to label.
        digests: Hexadecimal digest of something seen, in upper case, to label.
        times: Those of certificates, the last ones last, and their labels.
        crls: The list of an issuer that was seen last.
        names: Common name of a CA to label.
    """

    bundle: tuple[Certificate, ...]
    server: tuple[str, ...]
    serials: dict[int, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    times: list[tuple[datetime, str]] = field(default_factory=list)
    crls: dict[str, RevocationList] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, ca in enumerate(self.bundle, 1):
            self.names[ca.common_name] = f"CA {number}"
            self.times.append((ca.not_after, "<not_after of a CA>"))
            self._digests(ca.der, f"CA {number}")

    def has(self, data: bytes) -> bool:
        """Say whether something was met before."""
        return hashlib.sha256(data).hexdigest().upper() in self.digests

    def certificate(self, found: Certificate) -> str:
        """Return what a certificate is called."""
        label = self._digests(found.der, "certificate")
        self.serial(found.serial)
        if not label.startswith("CA "):
            self._times(found)
        return label

    def request(self, data: bytes) -> str:
        """Return what a request is called, by its DER."""
        return self._digests(data, "request")

    def serial(self, number: int) -> str:
        """Return what a serial number is called."""
        return self.serials.setdefault(number, f"serial {len(self.serials) + 1}")

    def ca_serial(self, number: int) -> str:
        """Return whose serial number it is, in an authority key identifier."""
        for index, ca in enumerate(self.bundle, 1):
            if ca.serial == number:
                return f"serial of CA {index}"
        return "unknown"

    def key_of(self, key_id: bytes) -> str:
        """Return whose key has this identifier."""
        for index, ca in enumerate(self.bundle, 1):
            found = certexts.find(ca.extensions, oids.SUBJECT_KEY_ID)
            if found and certexts.read_subject_key_id(found) == key_id:
                return f"key of CA {index}"
        return key_id.hex()

    @staticmethod
    def is_key_id(spki: bytes, key_id: bytes) -> bool:
        """Say whether an identifier is the SHA-1 of a key's bit string."""
        bits = der.read_bit_string(der.parse(spki).children()[1])
        return hashlib.sha1(bits, usedforsecurity=False).digest() == key_id

    def time(self, text: str) -> str:
        """Return what a time, as Puppet writes it, is; seconds do not matter."""
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SUTC").replace(tzinfo=UTC)
        for known, label in reversed(self.times):
            if abs(known - found) < _SAME:
                return label
        return "<date>"

    def replace(self, text: str) -> str:
        """Return a text without what differs from run to run."""
        for name in self.server:
            text = text.replace(name, "<server>")
        for name, label in self.names.items():
            text = text.replace(name, f"<{label}>")
        text = re.sub(r"@[0-9a-f]{6,8}\b", "@<address>", text)
        text = re.sub(r"\.pem\d+tmp", ".pem<number>tmp", text)
        # What Clojure throws ends in maps, which it prints in any order.
        text = re.sub(r"\{:type :schema\.core/error.*", "<maps>", text, flags=re.DOTALL)
        return re.sub(r"Jetty:// [0-9.v]+", "Jetty:// <version>", text)

    def _times(self, found: Certificate) -> None:
        for which in ("not_before", "not_after"):
            self.times.append((getattr(found, which), f"<{which} of a certificate>"))

    def _digests(self, data: bytes, kind: str) -> str:
        first = hashlib.sha256(data).hexdigest().upper()
        if first in self.digests:
            return self.digests[first]
        if kind in ("certificate", "request"):
            self._counts[kind] = self._counts.get(kind, 0) + 1
            kind = f"{kind} {self._counts[kind]}"
        for algorithm in ("sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
            self.digests[digest.upper()] = kind
        return kind
