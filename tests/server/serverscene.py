"""A CA behind its API, and callers of every kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from reseal import files
from reseal.ca.authority import Authority, load
from reseal.ca.newca import Leaf
from reseal.ca.profile import Profile
from reseal.ca.setup import new_authority
from reseal.ca.sign import generate
from reseal.certname import Certname
from reseal.server import access
from reseal.server.caller import ANONYMOUS, Caller, caller_of
from reseal.server.handlers import Api
from reseal.server.office import Office
from reseal.server.options import CaOptions
from reseal.store import open_cadir
from reseal.wire import Request, Response
from reseal.x509 import keys
from reseal.x509.csr import build_request

HOST = "puppet.example.com"
WEB = Certname("web01.example.com")
NEW = Certname("new.example.com")
NODE_KEY = keys.generate("ec:secp256r1")
NODE = keys.LocalSigner(NODE_KEY)


@dataclass
class Fixed:
    """A clock that stands."""

    time: datetime

    def now(self) -> datetime:
        return self.time


def make_authority(cadir: Path, now: datetime) -> Path:
    """Make a CA with certificates for HOST, which has pp_cli_auth, and for WEB."""
    key = keys.generate("rsa:2048")
    made = new_authority(
        shape="single",
        ruby=False,
        ca=("Puppet CA: test", keys.LocalSigner(key)),
        root=None,
        server=Leaf(Certname(HOST), NODE.public_key),
        ttl=timedelta(days=1825),
        now=now - timedelta(hours=1),
    )
    (cadir / "signed").mkdir(parents=True)
    (cadir / "requests").mkdir()
    for name, content in made.files.items():
        files.replace(cadir / name, content, mode=0o644)
    files.replace(cadir / "ca_key.pem", keys.dump_private(key), mode=0o640)
    generate(
        load(cadir, open_cadir(cadir)),
        WEB,
        NODE.public_key,
        profile=Profile(timedelta(days=1825)),
        clock=Fixed(now),
        alt_names=(f"DNS:{WEB}",),
    )
    return cadir


@dataclass
class Scene:
    """A CA with certificates for its host, which has pp_cli_auth, and for WEB."""

    cadir: Path
    clock: Fixed
    options: CaOptions

    def __post_init__(self) -> None:
        self.use()

    def use(self, **changes: Any) -> None:
        """Start the API anew, with other options."""
        self.options = replace(self.options, **changes)
        self.office = Office(
            self.cadir, open_cadir(self.cadir), self.options, self.clock
        )
        self.api = Api(self.office, access.DEFAULT)

    @property
    def authority(self) -> Authority:
        return load(self.cadir, open_cadir(self.cadir))

    def certificate(self, name: str) -> x509.Certificate:
        return self.office.store.get(Certname(name))

    @property
    def cli(self) -> Caller:
        return caller_of(self.certificate(HOST))

    @property
    def node(self) -> Caller:
        return caller_of(self.certificate(WEB))

    def issue(self, name: str, profile: Profile) -> x509.Certificate:
        return generate(
            self.authority,
            Certname(name),
            NODE.public_key,
            profile=profile,
            clock=self.clock,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | object = b"",
        caller: Caller = ANONYMOUS,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request to the API; what is not bytes goes as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.api.answer(Request(method, path, data, headers or {}), caller)

    def put(self, name: str, *alt_names: str) -> Response:
        """Send a request for a certificate."""
        pem = build_request(NODE, name, alt_names).pem
        return self.ask("PUT", f"/puppet-ca/v1/certificate_request/{name}", pem)

    def state(self, name: str) -> str | None:
        """Return what the API says a name's state is."""
        found = self.ask(
            "GET", f"/puppet-ca/v1/certificate_status/{name}", caller=self.cli
        )
        return None if found.status == 404 else str(json.loads(found.body)["state"])

    def left(self) -> dict[str, bytes]:
        """Return what the cadir holds, without locks."""
        return {
            str(path.relative_to(self.cadir)): path.read_bytes()
            for path in self.cadir.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
