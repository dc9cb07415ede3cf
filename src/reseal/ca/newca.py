"""A CA that is being made: what is asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509

from reseal.certname import Certname
from reseal.x509.crl import RevocationList
from reseal.x509.keys import PublicKey

Shape = Literal["single", "chain"]

Authorities = tuple[tuple[x509.Certificate, ...], tuple[RevocationList, ...]]
"""The certificates of a chain, the signing CA's first, and their lists."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that is made with the CA: its own server's, or another's.

    Attributes:
        certname: Its name.
        public_key: Its key.
        alt_names: `DNS:x` and `IP:y`; a server's certname is added.  Without any,
            Puppet Server's own certificate is also for `puppet`.
        extensions: Dotted OID to value; a server's gets `pp_cli_auth` too, unless a
            Ruby CA's.
    """

    certname: Certname
    public_key: PublicKey
    alt_names: tuple[str, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewAuthority:
    """What a new CA consists of, but for its keys.

    Attributes:
        files: Path relative to the cadir to content; no private keys.
        bundle_pem: The CA's certificates, the signing one first.
        crl_pem: Their revocation lists, in the same order.
        ca_certificate: The signing CA's.
        server_certificate: The server's; None if none was asked for.
        others: Of whoever else got one, in their order.
    """

    files: Mapping[str, bytes]
    bundle_pem: bytes
    crl_pem: bytes
    ca_certificate: x509.Certificate
    server_certificate: x509.Certificate | None
    others: tuple[x509.Certificate, ...] = ()
