"""What a case is: one request, the steps before it, and the server's settings.

A scenario is an ordered list of requests on certnames that no other scenario uses,
so that scenarios may run one after the other on one server.  A case is a request
whose answer is compared; a set-up step is one that only has to succeed.  Paths,
bodies and headers may name `{name}`, the scenario's certname.

Guarantee: a case never depends on another scenario.

Sources: Puppet Server, `certificate_authority_core.clj` (routes), ca.conf (settings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reseal.x509.crl import RevocationList

from .parsed import Certificate

API = "/puppet-ca/v1/"
VERSIONS = (7, 8)


@dataclass(frozen=True, slots=True)
class Credential:
    """A client's certificate and key, each in PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Configuration:
    """How the server is set up for some scenarios.

    Attributes:
        name: Short and unique.
        says: What is different from a server as installed.
        puppet: Settings of puppet.conf, section [server].
        ca: Settings of `certificate-authority` in ca.conf.
        ca8: More of these, which only Puppet Server 8 knows.
        autosign: The file `autosign` names by default; empty for none.
        program: That file is executable.
        headers: `allow-header-cert-info` in auth.conf: clients are known by headers.
        infra: Certnames in infra_inventory.txt.
    """

    name: str
    says: str
    puppet: Mapping[str, str] = field(default_factory=dict)
    ca: Mapping[str, str] = field(default_factory=dict)
    ca8: Mapping[str, str] = field(default_factory=dict)
    autosign: str = ""
    program: bool = False
    headers: bool = False
    infra: tuple[str, ...] = ()


@dataclass(slots=True)
class World:
    """What a scenario has seen so far; bodies and headers are made from it.

    Attributes:
        name: `{name}`.
        bundle: The CA's certificates, the signing one first.
        cli: A client whose certificate has pp_cli_auth.
        root_key: PEM of the key of the bundle's last certificate.
        now: The time now: aware, UTC.
        certificates: Those served so far, by certname, in the order of serving.
        crls: The revocation lists served last.
    """

    name: str
    bundle: tuple[Certificate, ...]
    cli: Credential
    root_key: bytes
    now: Callable[[], datetime]
    certificates: dict[str, list[Certificate]] = field(default_factory=dict)
    crls: tuple[RevocationList, ...] = ()

    def expand(self, text: str) -> str:
        """Return `text` with the scenario's certname put in."""
        return text.replace("{name}", self.name)


Body = bytes | Callable[[World], bytes]
Value = str | Callable[[World], str]
Headers = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One request.

    Attributes:
        id: Unique among all; the scenario's id, a slash, and a word of its own.
        says: What the case is about.
        method: HTTP's.
        path: As it is sent, or without a slash at its start, what follows `API`.
        caller: `anonymous`, `cli`, `node:NAME` (the first certificate of NAME that
            was served), `renewed:NAME` (the last), `selfsigned`, `foreign`,
            `imitated` (the CLI's certificate, signed by another CA).
        body: Bytes, or made when they are sent.
        headers: Sent beside Host; nothing else is.
        patience: Seconds in which the server may come to refuse the connection.
        pause: Seconds to wait before.
        setup: Not compared; has to be answered with a success.
    """

    id: str
    says: str
    method: str
    path: str
    caller: str = "anonymous"
    body: Body = b""
    headers: Headers = ()
    patience: float = 0
    pause: float = 0
    setup: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Requests that are sent in this order.

    Attributes:
        id: Unique; its certname is `ID.diff.test`.
        configuration: Name of the server's.
        steps: Cases and what prepares them.
        versions: Of Puppet Server, to which it is of interest.
    """

    id: str
    configuration: str
    steps: tuple[Case, ...]
    versions: tuple[int, ...] = VERSIONS

    @property
    def name(self) -> str:
        """The scenario's certname."""
        return f"{self.id}.diff.test"

    @property
    def cases(self) -> tuple[Case, ...]:
        """The requests whose answers are compared."""
        return tuple(step for step in self.steps if not step.setup)


def scenario(
    name: str,
    *steps: Case | Iterable[Case],
    on: str = "plain",
    versions: tuple[int, ...] = VERSIONS,
) -> Scenario:
    """Return a scenario; the ids of its steps get its name put before them."""
    flat: list[Case] = []
    for step in steps:
        flat.extend([step] if isinstance(step, Case) else step)
    named = [replace(step, id=f"{name}/{step.id}") for step in flat]
    return Scenario(name, on, tuple(named), versions)


def ask(
    word: str,
    says: str,
    path: str,
    *,
    method: str = "GET",
    caller: str = "anonymous",
    body: Body = b"",
    headers: Headers = (),
) -> Case:
    """Return a case that asks for something."""
    return Case(word, says, method, path, caller, body, headers)
