"""Who calls: what a connection has proven of the other side.

Guarantee: a `Caller` with a name was proven by TLS, or told by a proxy that the
settings trust; every other one is `ANONYMOUS`.

Sources: trapperkeeper-authorization, `ring.clj` (identity is the first common name;
extensions by dotted OID); Puppet Server, `certificate_authority.clj`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

from reseal.x509 import certexts, oids
from reseal.x509.certificate import common_name


@dataclass(frozen=True, slots=True)
class Caller:
    """The other side of a connection.

    Attributes:
        name: First common name of its certificate; empty if it has proven none.
        alt_names: The certificate's DNS names.
        extensions: Dotted OID to value, of what lies in Puppet's arc.
        certificate: The certificate; a proxy may tell a name without one.
    """

    name: str = ""
    alt_names: tuple[str, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
    certificate: x509.Certificate | None = None

    @property
    def authenticated(self) -> bool:
        """Whether there is a name to judge by."""
        return bool(self.name)


ANONYMOUS = Caller()
"""Somebody who showed no certificate."""


def caller_of(certificate: x509.Certificate, name: str | None = None) -> Caller:
    """Return the caller that a certificate makes known.

    Args:
        certificate: Proven by whoever calls this.
        name: What a proxy says instead of the certificate's own common name.
    """
    extensions = certexts.extensions_of(certificate)
    listed = certexts.alt_names(extensions)
    return Caller(
        name=common_name(certificate) if name is None else name,
        alt_names=tuple(n.removeprefix("DNS:") for n in listed if n[:4] == "DNS:"),
        extensions={
            each.oid: certexts.read_text(each.value)
            for each in extensions
            if oids.is_below(each.oid, oids.ARC)
        },
        certificate=certificate,
    )
