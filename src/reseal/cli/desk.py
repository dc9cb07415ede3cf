"""Where an operator stands: a CA, a way to change it, and what is wanted of it.

Guarantee: what was done is noted as it is done, so that a failure half way hides
nothing from `--json`.

Sources: Puppet 5.5, `ssl/certificate_authority/interface.rb`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509

from reseal.certname import Certname
from reseal.cli.hands import Allowances, Hand
from reseal.cli.listing import (
    Entry,
    Format,
    entry_of_certificate,
    entry_of_request,
)
from reseal.cli.output import Screen
from reseal.cli.ownfiles import OwnFiles
from reseal.cli.standing import Standing
from reseal.errors import NotFound, ParseError, ResealError
from reseal.settings import PuppetSettings
from reseal.store.protocol import Store
from reseal.x509 import pem
from reseal.x509.csr import parse_request

_REMOVING = "Removing file Puppet::SSL::{kind} {name} at '{path}'"


class CertError(ResealError):
    """What `puppet cert` says when it fails, in its words."""


@dataclass(frozen=True, slots=True)
class CertOptions:
    """What the command line wants; names as `puppet cert` has them."""

    all: bool = False
    signed: bool = False
    style: Format = "default"
    digest: str = "SHA256"
    allow: Allowances = field(default_factory=Allowances)
    ask: bool = False
    assume_yes: bool = False
    alt_names: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an operator stands: a CA, a way to change it, and wishes.

    Attributes:
        done: What was done so far, for `--json`.
    """

    settings: PuppetSettings
    store: Store
    standing: Standing
    hand: Hand
    own: OwnFiles
    screen: Screen
    options: CertOptions
    done: dict[str, list[object]] = field(default_factory=dict)

    def note(self, deed: str, what: object) -> None:
        """Keep for `--json` that something was done."""
        self.done.setdefault(deed, []).append(what)

    def entry(self, name: str) -> Entry:
        """Return what a list shows of a name; a request comes before a certificate.

        Raises:
            NotFound: There is neither.
        """
        certname = Certname(name)
        try:
            data = self.store.request(certname)
        except NotFound:
            return self.signed(name, self.certificate(name))
        return self.requested(name, data)

    def requested(self, name: str, data: bytes) -> Entry:
        """Return what a list shows of a request, or what is wrong with it.

        Raises:
            CertError: It is not even the PEM of something.
        """
        try:
            return entry_of_request(name, parse_request(data))
        except ParseError as error:
            found = _blocks(data)
            if len(found) != 1:
                raise CertError(f"{name}: {error}", hint=error.hint) from None
            return Entry(name, "requested", found[0].der, problem=str(error))

    def signed(self, name: str, found: x509.Certificate) -> Entry:
        """Return what a list shows of a certificate."""
        return entry_of_certificate(name, found, self.standing.problem(found))

    def certificate(self, name: str) -> x509.Certificate:
        """Return the certificate of a name, the CA's own for `ca`."""
        if name == "ca":
            return self.standing.ca
        return self.store.get(Certname(name))

    def removed(self, kind: str, name: str, path: object) -> None:
        """Say that a file is gone."""
        self.screen.notice(_REMOVING.format(kind=kind, name=name, path=path))
        self.note("removed", {"name": name, "kind": kind, "path": str(path)})


def _blocks(data: bytes) -> tuple[pem.Block, ...]:
    try:
        return pem.decode(data)
    except ParseError:
        return ()
