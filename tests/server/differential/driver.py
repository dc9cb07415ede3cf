"""Send scenarios to a server and return its answers, normalised.

    answers = drive_all(target, scenarios(configuration="plain", version=8))

The server's CA is a chain of two, as `puppetserver ca setup` makes it, and gives
numbers and certificates to whoever else asks; scenarios clear away what they left.

Guarantee: sends what a case says and nothing beside it, but for the removal of the
scenario's certnames at its end.

Sources: Puppet Server, `certificate_authority_core.clj` (routes).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from reseal.errors import ParseError
from reseal.x509 import crl, pem

from . import parsed
from .clients import credential
from .known import Known
from .model import API, Case, Scenario, World
from .normalise import Answer, Exchange, normalise
from .wire import Refused, Target, exchange

_CERTIFICATE = f"{API}certificate/"
_REQUEST = f"{API}certificate_request/"
_LIST = f"{API}certificate_revocation_list/"


class SetupFailed(AssertionError):
    """A step that prepares a case was not answered with a success."""


def drive_all(target: Target, scenarios: Iterable[Scenario]) -> dict[str, Answer]:
    """Return the answers to every case of the scenarios, by the case's id."""
    found: dict[str, Answer] = {}
    for scenario in scenarios:
        found.update(drive(target, scenario))
    return found


def drive(target: Target, scenario: Scenario) -> dict[str, Answer]:
    """Return the answers to a scenario's cases, by their ids.

    Raises:
        SetupFailed: A step between them did not succeed.
    """
    run = Run(target, scenario)
    try:
        return {
            case.id: answer
            for case in scenario.steps
            if (answer := run.step(case)) is not None
        }
    finally:
        run.clear()


class Run:
    """A scenario under way."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self.target = target
        self.names: set[str] = {scenario.name}
        self.world = World(
            name=scenario.name,
            bundle=parsed.load(target.bundle),
            cli=target.cli,
            root_key=target.root_key,
            now=lambda: datetime.now(UTC),
        )
        hosts = (socket.getfqdn(target.host), target.host, *target.names)
        self.known = Known(self.world.bundle, tuple(sorted(hosts, key=len)[::-1]))

    def step(self, case: Case) -> Answer | None:
        """Take one step; return the answer if it is compared."""
        time.sleep(case.pause)
        path, body = self._path(case), self._body(case)
        self._note_sent(path, body)
        found = self._send(case, path, body)
        if isinstance(found, Exchange):
            self._note_found(path, found)
        if not case.setup:
            return self._answer(found)
        if isinstance(found, Refused) or not 200 <= found.status < 300:
            raise SetupFailed(f"{case.id}: {found}")
        self._answer(found)
        return None

    def clear(self) -> None:
        """Remove what the scenario left on the CA; absence is fine."""
        for name in sorted(self.names):
            path = f"{API}certificate_status/{quote(name)}"
            exchange(
                self.target,
                "DELETE",
                path,
                client=self.target.cli,
                headers=(),
                body=b"",
            )

    def _send(self, case: Case, path: str, body: bytes) -> Exchange | Refused:
        client = credential(self.world, case.caller)
        headers = [
            (n, self.world.expand(v) if isinstance(v, str) else v(self.world))
            for n, v in case.headers
        ]
        deadline = time.monotonic() + case.patience
        while True:
            found = exchange(
                self.target,
                case.method,
                path,
                client=client,
                headers=headers,
                body=body,
            )
            if isinstance(found, Refused) or time.monotonic() >= deadline:
                return found
            time.sleep(0.2)

    def _answer(self, found: Exchange | Refused) -> Answer:
        if isinstance(found, Refused):
            return {"refused": found.alert}
        return normalise(found, self.known, self.names, datetime.now(UTC))

    def _path(self, case: Case) -> str:
        path = self.world.expand(case.path)
        return path if path.startswith("/") else API + path

    def _body(self, case: Case) -> bytes:
        return case.body if isinstance(case.body, bytes) else case.body(self.world)

    def _note_sent(self, path: str, body: bytes) -> None:
        """Remember a request that is sent, and for which name."""
        if not path.startswith(_REQUEST):
            return
        name = unquote(path.removeprefix(_REQUEST)).partition("?")[0]
        if name and "/" not in name and name.isascii() and name.isprintable():
            self.names.add(name)
        try:
            for block in pem.decode(body):
                self.known.request(block.der)
        except ParseError:
            pass

    def _note_found(self, path: str, found: Exchange) -> None:
        """Remember certificates and lists for the steps that follow."""
        if found.status != 200 or b"-----BEGIN" not in found.body:
            return
        if path.startswith(_LIST):
            blocks = pem.decode(found.body)
            self.world.crls = tuple(crl.parse(block.der) for block in blocks)
        for certificate in parsed.load(found.body):
            served = self.world.certificates.setdefault(certificate.common_name, [])
            if certificate not in served:
                served.append(certificate)
