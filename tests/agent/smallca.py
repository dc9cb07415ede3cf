"""A CA behind its API, without sockets, and a node that enrols with it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from reseal import files
from reseal.agent.acts import (
    Act,
    Ask,
    Drop,
    File,
    Keep,
    Known,
    MakeKey,
    Outcome,
    ReadAttributes,
    Ready,
    Say,
    Touch,
    Unsigned,
    Wishes,
)
from reseal.agent.remote import Answer, NoConnection, Trust
from reseal.agent.states import enrol
from reseal.ca.newca import Leaf
from reseal.ca.policy import approve_renewal
from reseal.ca.profile import Profile
from reseal.ca.renew import renew
from reseal.ca.revoke import revoke
from reseal.ca.setup import new_authority
from reseal.ca.sign import sign
from reseal.certname import Certname
from reseal.server import access
from reseal.server.caller import ANONYMOUS
from reseal.server.handlers import Api
from reseal.server.office import Office
from reseal.server.options import CaOptions
from reseal.store import open_cadir
from reseal.wire import Request, Response
from reseal.x509 import keys
from reseal.x509.csrattributes import CsrAttributes

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
NAME = Certname("web01.example.com")
URL = "https://puppet:8140"


@dataclass
class Fixed:
    """A clock that stands."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


class SmallCa:
    """A CA and its API.

    Attributes:
        asked: Method, path and trust of every request.
        broken: Path to what is answered instead.
    """

    def __init__(self, cadir: Path, name: str = "Puppet CA: test") -> None:
        key = keys.generate("rsa:2048")
        made = new_authority(
            shape="chain",
            ruby=False,
            ca=(name, keys.LocalSigner(key)),
            root=("Puppet Root CA: test", keys.LocalSigner(keys.generate("rsa:2048"))),
            server=Leaf(Certname("puppet"), keys.generate("ec:secp256r1").public_key()),
            ttl=timedelta(days=1825),
            now=NOW - timedelta(days=1),
        )
        (cadir / "signed").mkdir(parents=True)
        (cadir / "requests").mkdir()
        for each, content in made.files.items():
            files.replace(cadir / each, content, mode=0o644)
        files.replace(cadir / "ca_key.pem", keys.dump_private(key), mode=0o640)
        self._serve(cadir)

    def copied(self, cadir: Path) -> SmallCa:
        """Return the same CA on a copy of its files."""
        found = SmallCa.__new__(SmallCa)
        found._serve(cadir)
        return found

    def _serve(self, cadir: Path) -> None:
        self.cadir, self.clock = cadir, Fixed()
        self.asked: list[tuple[str, str, Trust]] = []
        self.broken: dict[str, Response | NoConnection] = {}
        self.office = Office(cadir, open_cadir(cadir), CaOptions(), self.clock)
        self.api = Api(self.office, access.DEFAULT)

    def renewed(self, name: str = NAME) -> x509.Certificate:
        """Return another certificate for the key that a name has."""
        old = self.office.store.get(Certname(name))
        profile = Profile(timedelta(days=90))
        authority = self.office.authority
        return renew(approve_renewal(old), authority, profile, self.clock)

    def sign(self, name: str = NAME, days: int = 100) -> x509.Certificate:
        return sign(
            self.office.authority,
            Certname(name),
            rules=self.office.rules,
            profile=Profile(timedelta(days=days)),
            clock=self.clock,
        )

    def revoke(self, name: str = NAME) -> None:
        store = self.office.store
        serial = store.get(Certname(name)).serial_number
        issuer = self.office.authority.issuer
        revoke([serial], issuer=issuer, store=store, clock=self.clock)

    def answer(self, ask: Ask) -> Outcome:
        path = ask.request.path
        self.asked.append((ask.request.method, path, ask.trust))
        found = self.broken.get(path.rpartition("/v1/")[2])
        if isinstance(found, NoConnection):
            return found
        if found is None:
            headers = {k.lower(): v for k, v in ask.request.headers.items()}
            request = Request(ask.request.method, path, ask.request.body, headers)
            found = self.api.answer(request, ANONYMOUS)
        return Answer(found, f"status {found.status}", URL)


@dataclass
class Node:
    """A node's files in memory, and what it says."""

    ca: SmallCa
    files: dict[File, bytes] = field(default_factory=dict)
    modified: dict[File, datetime] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    attributes: CsrAttributes = field(default_factory=CsrAttributes)

    def known(self) -> Known:
        get = self.files.get
        return Known(
            now=self.ca.clock.now(),
            ca=get(File.CA),
            ca_modified=self.modified.get(File.CA),
            crl=get(File.CRL),
            crl_modified=self.modified.get(File.CRL),
            key=get(File.KEY),
            certificate=get(File.CERTIFICATE),
            request=get(File.REQUEST),
        )

    def enrol(self, **wishes: object) -> Ready | Unsigned:
        wanted = Wishes(NAME, **wishes)  # type: ignore[arg-type]
        return self.run(enrol(self.known(), wanted))

    def run(self, steps: Generator[Act, Outcome, Ready | Unsigned]) -> Ready | Unsigned:
        outcome: Outcome = None
        while True:
            try:
                act = steps.send(outcome)
            except StopIteration as ended:
                found: Ready | Unsigned = ended.value
                return found
            outcome = self._do(act)

    def _do(self, act: Act) -> Outcome:
        if isinstance(act, Ask):
            return self.ca.answer(act)
        if isinstance(act, Keep):
            self.files[act.file] = act.data
            self.modified[act.file] = self.ca.clock.now()
        elif isinstance(act, Drop):
            self.files.pop(act.file, None)
        elif isinstance(act, Touch):
            self.modified[act.file] = self.ca.clock.now()
        elif isinstance(act, Say):
            self.said.append(f"{act.level}: {act.text}")
        elif isinstance(act, MakeKey):
            return keys.generate("rsa:2048")
        elif isinstance(act, ReadAttributes):
            return self.attributes
        return None
