"""What is to be done on a node's way to its certificate, and what came of it.

Values only: `states` and `truststates` say which, `enrolment` does them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509

from reseal.agent.remote import Answer, NoConnection, Trust
from reseal.agent.resources.model import Level
from reseal.certname import Certname
from reseal.errors import ResealError
from reseal.wire import TEXT, Request
from reseal.x509.crl import RevocationList
from reseal.x509.csrattributes import CsrAttributes
from reseal.x509.keys import PrivateKey

API = "/puppet-ca/v1"
HEADERS = {"Accept": TEXT}


class File(Enum):
    """A file of the node."""

    CA = "localcacert"
    CRL = "hostcrl"
    KEY = "hostprivkey"
    REQUEST = "hostcsr"
    CERTIFICATE = "hostcert"


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request; an `Answer` or a `NoConnection` is what came of it."""

    request: Request
    trust: Trust


@dataclass(frozen=True, slots=True)
class Keep:
    """Put a file in place."""

    file: File
    data: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove a file, if it is there."""

    file: File


@dataclass(frozen=True, slots=True)
class Touch:
    """Note that a file was looked at: it is refreshed an interval later."""

    file: File


@dataclass(frozen=True, slots=True)
class Say:
    """Tell something."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class MakeKey:
    """Make a private key; it is what came of it."""


@dataclass(frozen=True, slots=True)
class ReadAttributes:
    """Read csr_attributes.yaml; `CsrAttributes` is what came of it."""


Act = Ask | Keep | Drop | Touch | Say | MakeKey | ReadAttributes
Outcome = Answer | NoConnection | PrivateKey | CsrAttributes | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a node has when it begins.

    Attributes:
        now: The time, aware.
        ca, crl, key, certificate, request: The bytes of its files; None without one.
        ca_modified, crl_modified: When these were written.
    """

    now: datetime
    ca: bytes | None = None
    ca_modified: datetime | None = None
    crl: bytes | None = None
    crl_modified: datetime | None = None
    key: bytes | None = None
    certificate: bytes | None = None
    request: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a node wants to enrol.

    Attributes:
        certname: Its name.
        kind: Of a new key, in words.
        alt_names: The setting `dns_alt_names`.
        ca_fingerprint: SHA-256 of the CA's bundle as it is sent; empty trusts the
            first that comes.
        revocation: `chain`, `leaf` or nothing.
        ca_refresh, crl_refresh, renewal: Intervals; zero never does.
        wait: Seconds that a server may hold its answer while nothing is signed.
    """

    certname: Certname
    kind: str = "RSA SSL key"
    alt_names: str = ""
    ca_fingerprint: str = ""
    revocation: str = "chain"
    ca_refresh: timedelta = field(default_factory=timedelta)
    crl_refresh: timedelta = field(default_factory=timedelta)
    renewal: timedelta = field(default_factory=timedelta)
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What a node has before its certificate."""

    trusted: tuple[x509.Certificate, ...]
    crls: tuple[RevocationList, ...]
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Ready:
    """A node with everything it needs."""

    held: Held
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Nothing is signed yet.

    Attributes:
        waited: The server has held its answer back, so there is no need to pause.
    """

    waited: bool


class EnrolmentFailed(ResealError):
    """A node cannot go on; in Puppet's words, with the way out."""


Steps = Generator[Act, Outcome, "Ready | Unsigned"]


def asked(ask: Ask) -> Generator[Act, Outcome, Answer]:
    """Have a request sent; EnrolmentFailed if there is no connection."""
    answer = yield ask
    if isinstance(answer, NoConnection):
        raise EnrolmentFailed(str(answer), hint=answer.hint)
    assert isinstance(answer, Answer)  # noqa: S101 - the act's own outcome
    return answer


def get_of(noun: str, wait: int = 0) -> Request:
    """Return a request for what the CA publishes, or a certificate."""
    headers = {**HEADERS, "Prefer": f"wait={wait}"} if wait else HEADERS
    return Request("GET", f"{API}/{noun}", headers=headers)


def digest(data: bytes) -> str:
    """Return the SHA-256 of a text as Puppet shows it."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(data).digest())
