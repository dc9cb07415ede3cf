"""Make a CA on this machine: a new one, or one whose key comes from elsewhere.

Guarantee: nothing that exists is overwritten, and keys are written first and with
their mode, so that what a crash leaves is recognised as part of a CA.

Sources: puppetserver-ca-cli, `action/setup.rb` and `action/import.rb`; Puppet 5.5,
`ssl/certificate_authority.rb` (`generate_ca_certificate`).
"""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from reseal import files, locks
from reseal.audit import audit
from reseal.ca.newca import Leaf, NewAuthority, Shape
from reseal.ca.setup import new_authority
from reseal.clock import Clock
from reseal.errors import AuthorityExists
from reseal.settings import PuppetSettings
from reseal.x509 import csr, keys
from reseal.x509.certificate import fingerprint, to_pem
from reseal.x509.keys import LocalSigner, PrivateKey

DEFAULT_TTL = timedelta(days=15 * 365)
"""A new CA's life when puppet.conf has no `ca_ttl`; as `puppetserver ca setup`."""

PUBLIC, PRIVATE = 0o644, 0o640
_ALPHABET = "".join(map(chr, range(48, 122)))


@dataclass(frozen=True, slots=True)
class Order:
    """What kind of CA to make.

    Attributes:
        shape: One self-signed CA, or an intermediate one under a root.
        ruby: As `puppet cert` makes it.
        key: Kind of the CA's keys; of the server's too if it has none yet, and
            `key_type` of puppet.conf does not want it to be another.
        ca_name: Common name; empty is the setting's.
        root_name: Common name of a chain's root; empty is Puppet's, at random.
        server: Also make the server's own certificate.
        alt_names: Of that certificate; empty are the setting's.
        extensions: Of that certificate: dotted OID to value.
    """

    shape: Shape = "chain"
    ruby: bool = False
    key: str = "rsa:4096"
    ca_name: str = ""
    root_name: str = ""
    server: bool = True
    alt_names: tuple[str, ...] = ()
    extensions: Mapping[str, str] | None = None


def set_up(settings: PuppetSettings, order: Order, clock: Clock) -> NewAuthority:
    """Make a new CA in the cadir, and the host's own files if a server is asked for.

    Raises:
        AuthorityExists: There are files of a CA, or of a certificate, already.
        UnsuitableKey: The kind of key is unknown.
    """
    refuse_existing(settings, server=order.server)
    signer = keys.generate(order.key)
    root = keys.generate(order.key) if order.shape == "chain" else None
    own = settings.key_kind if settings.key_type == "ec" else order.key
    host = host_key(settings, own) if order.server else None
    root_name = order.root_name or f"Puppet Root CA: {secrets.token_hex(7)}"
    made = new_authority(
        shape=order.shape,
        ruby=order.ruby,
        ca=(order.ca_name or settings.ca_name, LocalSigner(signer)),
        root=(root_name, LocalSigner(root)) if root else None,
        server=server_leaf(settings, order, host) if host else None,
        ttl=settings.ca_ttl if settings.ca_ttl_given or order.ruby else DEFAULT_TTL,
        now=clock.now(),
    )
    private = {"ca_key.pem": keys.dump_private(signer)}
    if root:
        private["root_key.pem"] = keys.dump_private(root)
    if order.ruby:
        private["private/ca.pass"] = _passphrase()
    write_authority(settings, made, private, host)
    audit("authority.created", fingerprint=fingerprint(made.ca_certificate))
    return made


def server_leaf(settings: PuppetSettings, order: Order, host: PrivateKey) -> Leaf:
    """Return what the server's certificate will say."""
    wanted = order.alt_names or settings.dns_alt_names
    names = csr.puppet_alt_names(",".join(wanted), settings.certname)
    values = dict(order.extensions or {})
    return Leaf(settings.certname, host.public_key(), names, values)


def refuse_existing(settings: PuppetSettings, *, server: bool) -> None:
    """Make sure that no file would be overwritten; a host's key pair may be there.

    Raises:
        AuthorityExists: Files exist; each is named.
    """
    names = ("ca_crt.pem", "ca_crl.pem", "ca_key.pem", "ca_pub.pem", "root_key.pem")
    more = ("inventory.txt", "serial", "infra_crl.pem", "infra_inventory.txt")
    paths = [settings.cadir / name for name in (*names, *more, "infra_serials")]
    if server:
        paths += [settings.hostcert, settings.localcacert, settings.hostcrl]
        paths.append(settings.cadir / "signed" / f"{settings.certname}.pem")
    found = [f"Existing file at '{path}'" for path in paths if path.exists()]
    if found:
        raise AuthorityExists(
            str(settings.cadir),
            found,
            hint="to replace your CA, move the existing files away first; every "
            "certificate issued by this CA will become invalid",
        )


def write_authority(
    settings: PuppetSettings,
    made: NewAuthority,
    private: Mapping[str, bytes],
    host: PrivateKey | None,
) -> None:
    """Write a CA's files into the cadir, keys first, each whole; then the host's.

    Raises:
        AuthorityExists: Another process was faster.
    """
    owner = service_owner(settings)
    _directories(settings.cadir, 0o755, owner)
    for name in ("signed", "requests"):
        files.make_directory(settings.cadir / name, mode=0o755, owner=owner)
    with locks.locked(settings.cadir):
        refuse_existing(settings, server=host is not None)
        for name, content in private.items():
            path = settings.cadir / name
            files.make_directory(path.parent, mode=0o750, owner=owner)
            files.replace(path, content, mode=PRIVATE, owner=owner)
        for name, content in made.files.items():
            files.replace(settings.cadir / name, content, mode=PUBLIC, owner=owner)
        if host:
            write_host(
                settings,
                host,
                certificate=made.server_certificate,
                bundle_pem=made.bundle_pem,
                crl_pem=made.crl_pem,
            )
    _link(settings)


def write_host(
    settings: PuppetSettings,
    host: PrivateKey,
    *,
    certificate: x509.Certificate | None,
    bundle_pem: bytes,
    crl_pem: bytes,
) -> None:
    """Write a host's key, certificate, and what it trusts; what exists stays.

    Args:
        settings: Where the files are.
        host: The host's key.
        certificate: Its certificate; None leaves it without.
        bundle_pem: The CA's certificates.
        crl_pem: Their revocation lists.
    """
    owner = service_owner(settings)
    _directories(settings.ssldir, 0o771, owner)
    for path, mode in (
        (settings.certdir, 0o755),
        (settings.privatekeydir, 0o750),
        (settings.publickeydir, 0o755),
    ):
        _directories(path, mode, owner)
    wanted = [
        (settings.hostprivkey, keys.dump_private(host), PRIVATE),
        (settings.hostpubkey, keys.dump_public(host.public_key()), PUBLIC),
        (settings.localcacert, bundle_pem, PUBLIC),
        (settings.hostcrl, crl_pem, PUBLIC),
    ]
    if certificate is not None:
        wanted.append((settings.hostcert, to_pem(certificate), PUBLIC))
    for path, content, mode in wanted:
        if not path.exists():
            files.replace(path, content, mode=mode, owner=owner)


def service_owner(settings: PuppetSettings) -> files.Owner | None:
    """Return user and group of Puppet's service; None if root cannot give it files."""
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam(settings.user)
    except KeyError:
        return None
    return account.pw_uid, account.pw_gid


def host_key(settings: PuppetSettings, kind: str) -> PrivateKey:
    """Return the host's key if it has one, else a new one."""
    if settings.hostprivkey.exists():
        return keys.load_private(files.read(settings.hostprivkey))
    return keys.generate(kind)


def _passphrase() -> bytes:
    """Return what the Ruby CA puts into ca.pass: 20 characters from `0` to `y`."""
    chosen = (secrets.choice(_ALPHABET) for _ in range(20))
    return "".join(chosen).encode()


def _directories(path: Path, mode: int, owner: files.Owner | None) -> None:
    for each in reversed([parent for parent in path.parents if not parent.exists()]):
        files.make_directory(each, mode=0o755, owner=owner)
    files.make_directory(path, mode=mode, owner=owner)


def _link(settings: PuppetSettings) -> None:
    """Let `$ssldir/ca` lead to a cadir outside, for tools that look there."""
    old = settings.ssldir / "ca"
    if settings.cadir == old or old.is_symlink() or not settings.ssldir.is_dir():
        return
    if old.is_dir() and not any(old.iterdir()):
        old.rmdir()
    if not old.exists():
        old.symlink_to(settings.cadir.absolute())
