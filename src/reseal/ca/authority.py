"""Load a CA from any of Puppet's cadirs.

Guarantee: an `Authority` is whole: all files are there, the signing certificate is
the one of the CA's key, and its chain reaches a root that is in the bundle.

Sources: Puppet Server, `certificate_authority.clj` (`validate-ca-files!`: all files
or none; the signing certificate is found by its key); Puppet 5.5, `ssl/key.rb`
(`private/ca.pass`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from reseal import files
from reseal.ca.profile import Dialect, comment
from reseal.errors import AuthorityError, NotFound, ParseError, UnsuitableKey
from reseal.store.protocol import Store
from reseal.x509 import bundle, certexts, keys, oids
from reseal.x509 import certificate as certs
from reseal.x509.certificate import Issuer
from reseal.x509.keys import LocalSigner, PrivateKey, PublicKey

REQUIRED = ("ca_crt.pem", "ca_crl.pem", "ca_key.pem", "inventory.txt", "serial")
"""The files without which no Puppet Server starts."""

Peer = Literal["Puppet Server", "puppet cert", "MCollective"]
"""Programs that use a CA's key or certificate and know RSA only."""

_WHY = {
    "Puppet Server": "it signs with SHA256withRSA only",
    "puppet cert": "it loads its key as RSA",
    "MCollective": "its security plugin knows RSA only",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which tool's cadir it is.

    Attributes:
        shape: One self-signed CA, or an intermediate one under a root.
        ruby: Made and kept by the CA of Puppet 3 to 5.
    """

    shape: Literal["single", "chain"]
    ruby: bool

    @property
    def dialect(self) -> Dialect:
        """In whose dialect new certificates are written."""
        return "ruby" if self.ruby else "server"


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign.

    Attributes:
        cadir: Where it lives.
        layout: Which tool's cadir it is.
        issuer: Its signing certificate and key.
        bundle: The chain: the signing certificate first, the root last.
        store: Its memory.
    """

    cadir: Path
    layout: Layout
    issuer: Issuer
    bundle: tuple[x509.Certificate, ...]
    store: Store


def exists(cadir: Path) -> bool:
    """Say whether there is a CA.

    Raises:
        AuthorityError: There is a part of one.
    """
    found = [name for name in REQUIRED if (cadir / name).exists()]
    missing = [name for name in REQUIRED if name not in found]
    if found and missing:
        raise AuthorityError(
            f"{cadir}: cannot initialize CA with partial state; need all files or "
            f"none: found {', '.join(found)}; missing {', '.join(missing)}",
            hint="restore the missing files from a backup, or move the rest away",
        )
    return bool(found)


def load(cadir: Path, store: Store, *, passphrase: bytes | None = None) -> Authority:
    """Return the CA in a cadir.

    Args:
        cadir: Puppet's directory, of any layout.
        store: The store in it.
        passphrase: Of the CA's key; without it, `private/ca.pass` is tried.

    Raises:
        AuthorityError: There is no CA, or parts of it are missing or do not match.
        ParseError: The key or the bundle cannot be read.
    """
    if not exists(cadir):
        hint = "make one with: reseal ca setup"
        raise AuthorityError(f"{cadir}: has no CA", hint=hint)
    key = load_key(cadir / "ca_key.pem", passphrase)
    listed = bundle.load_certificates(store.bundle())
    chain = signing_chain(listed, key.public_key(), cadir)
    issuer = Issuer(chain[0], LocalSigner(key))
    return Authority(cadir, layout_of(chain[0], cadir), issuer, chain, store)


def signing_chain(
    listed: Iterable[x509.Certificate], key: PublicKey, where: Path
) -> tuple[x509.Certificate, ...]:
    """Return the chain that begins with the certificate of a key.

    Of several with the key, as after `extend`, the one that ends last is taken.

    Raises:
        AuthorityError: No certificate has the key.
        ChainInvalid: The bundle does not reach a root.
    """
    found = sorted(listed, key=lambda each: each.not_valid_after_utc, reverse=True)
    if not any(keys.same_key(certs.public_key(each), key) for each in found):
        raise AuthorityError(
            f"{where}: could not find certificate matching private key "
            f"{keys.key_fingerprint(key)}",
            hint="ca_crt.pem and ca_key.pem are of two CAs: restore them together",
        )
    return bundle.order(found, key)


def layout_of(signing: x509.Certificate, cadir: Path) -> Layout:
    """Return the layout of a cadir, told by its signing certificate and its files."""
    shape: Literal["single", "chain"] = "chain"
    if certs.is_self_issued(signing):
        shape = "single"
    found = certexts.find(certexts.extensions_of(signing), oids.NETSCAPE_COMMENT)
    made_by_ruby = found is not None and found.value == comment("ruby").value
    return Layout(shape, made_by_ruby and not (cadir / "infra_crl.pem").exists())


def detect(cadir: Path) -> Layout:
    """Return the layout of a cadir without opening its key."""
    pem = files.read(cadir / "ca_crt.pem")
    return layout_of(bundle.order(bundle.load_certificates(pem))[0], cadir)


def load_key(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Return a CA's key, opened with `private/ca.pass` beside it if need be.

    Raises:
        ParseError: It is no key, or does not open.
        UnsuitableKey: It is neither RSA nor EC.
    """
    if passphrase is None:
        try:
            passphrase = files.read(path.parent / "private" / "ca.pass").strip()
        except NotFound:
            passphrase = None
    try:
        return keys.load_private(files.read(path), passphrase)
    except ParseError as error:
        raise ParseError(f"{path}: {error}", hint=error.hint) from None


def check_peers(key: PublicKey, peers: Iterable[Peer]) -> None:
    """Make sure that the programs that will use a CA can take its key.

    Raises:
        UnsuitableKey: Some cannot; each is named with its reason.
    """
    refusing = [] if isinstance(key, rsa.RSAPublicKey) else list(peers)
    if refusing:
        why = "; ".join(f"{peer} cannot take it, {_WHY[peer]}" for peer in refusing)
        raise UnsuitableKey(
            f"CA key {keys.describe(key)}: {why}",
            hint="use rsa:4096, or run this CA with reseal's own server only",
        )
