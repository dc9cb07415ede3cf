"""The door of the primary server's room: what nodes ask, and who answers.

Guarantee: whoever gets an `Asked` may go by its certname: TLS has proven it, and the
rules of access have been applied.

Sources: Puppet, `network/http/api/indirected_routes.rb` (paths, environment, errors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509

from reseal.wire import Response

MOUNT = "/puppet/v3"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a node asks of its primary server; access has been granted.

    Attributes:
        method: In upper case.
        path: Decoded and in one form, with the mount.
        target: As it stood in the request line.
        query: Each parameter and its values.
        headers: Names in lower case.
        body: What was sent.
        certname: Who asks.
        certificate: What it has shown; a proxy may tell a name without one.
        extensions: Of its certificate, dotted OID to value, in Puppet's arc.
    """

    method: str
    path: str
    target: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    certname: str
    certificate: x509.Certificate | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)


class Primary(Protocol):
    """Answers what nodes ask for their runs."""

    def answer(self, asked: Asked) -> Response:
        """Return the answer; never raises for what was sent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A catalog to be made.

    Attributes:
        certname: Whose.
        environment: As the node asks for it; a word of letters, digits, underscores.
        facts: Puppet's document: `name`, `values`, `timestamp`; None if none were sent.
        extensions: The node's trusted ones, by short name, or OID where it has none.
        rich: The node reads Puppet's rich data.
    """

    certname: str
    environment: str
    facts: Mapping[str, Any] | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    rich: bool = False


class Catalogs(Protocol):
    """Where catalogs come from."""

    def catalog(self, wanted: Wanted) -> bytes:
        """Return a catalog in JSON.

        Raises:
            CatalogError: There is none for this node; the message may be shown to it.
            UnknownEnvironment: There is no such environment.
        """

    def modulepath(self, environment: str) -> Sequence[Path]:
        """Return the directories of modules, the first before the others.

        Raises:
            UnknownEnvironment: There is no such environment.
            CatalogError: It cannot be found out.
        """

    def environments(self) -> Sequence[str]:
        """Return the names of the environments there are."""
