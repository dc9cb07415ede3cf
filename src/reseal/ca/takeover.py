"""Import a CA whose key, certificates and revocation lists come from elsewhere.

Guarantee: nothing is written before key, chain and lists are proven to belong
together; the key is kept in clear, as Puppet Server needs it, with its mode set.

Sources: puppetserver-ca-cli, `action/import.rb` and `x509_loader.rb`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from reseal.audit import audit
from reseal.ca.authority import Peer, check_peers, signing_chain
from reseal.ca.create import (
    DEFAULT_TTL,
    Order,
    host_key,
    refuse_existing,
    server_leaf,
    write_authority,
)
from reseal.ca.newca import NewAuthority
from reseal.ca.setup import assemble, first_crl
from reseal.clock import Clock
from reseal.errors import AuthorityError, ChainInvalid
from reseal.settings import PuppetSettings
from reseal.store.protocol import HIGHEST_SERIAL
from reseal.x509 import bundle, keys
from reseal.x509 import certificate as certs
from reseal.x509.certificate import fingerprint
from reseal.x509.crl import RevocationList
from reseal.x509.keys import LocalSigner, PrivateKey


@dataclass(frozen=True, slots=True)
class Material:
    """What an imported CA consists of.

    Attributes:
        key_pem: The signing CA's private key.
        bundle_pem: Its certificate and those above it, in any order.
        crl_pem: Revocation lists; the signing CA's own may be missing.
        passphrase: Of the key; None when it is in clear.
    """

    key_pem: bytes
    bundle_pem: bytes
    crl_pem: bytes
    passphrase: bytes | None = None


def take_over(
    settings: PuppetSettings,
    material: Material,
    clock: Clock,
    *,
    alt_names: tuple[str, ...] = (),
    peers: tuple[Peer, ...] = ("Puppet Server",),
) -> NewAuthority:
    """Put a CA into the cadir, with a new certificate for the server.

    Args:
        settings, material, clock: Where and for whom, the CA, the time now.
        alt_names: Of the server's certificate; empty are the setting's.
        peers: The programs that will use this CA.

    Raises:
        AuthorityError: Files exist already, or the parts do not belong together.
        UnsuitableKey: A peer cannot take the CA's key.
    """
    refuse_existing(settings, server=True)
    key = keys.load_private(material.key_pem, material.passphrase)
    check_peers(key.public_key(), peers)
    listed = bundle.load_certificates(material.bundle_pem)
    chain = signing_chain(listed, key.public_key(), Path("bundle"))
    now, ttl = clock.now(), settings.ca_ttl if settings.ca_ttl_given else DEFAULT_TTL
    crls = _lists(material, chain, key, now)
    order = Order(alt_names=alt_names, key=settings.key_kind)
    host = host_key(settings, order.key)
    made = assemble(
        LocalSigner(key),
        (chain, crls),
        server_leaf(settings, order, host),
        serial=_next_serial(chain[0], crls[0]),
        ttl=ttl,
        now=now,
    )
    _prove(made, chain, crls, now)
    write_authority(settings, made, {"ca_key.pem": keys.dump_private(key)}, host)
    audit("authority.imported", fingerprint=fingerprint(chain[0]))
    return made


def _lists(
    material: Material,
    chain: tuple[x509.Certificate, ...],
    key: PrivateKey,
    now: datetime,
) -> tuple[RevocationList, ...]:
    """Return a current list of every CA of the chain; the signing CA's may be new.

    Raises:
        AuthorityError: Another CA's is missing, or the chain does not hold.
    """
    given = bundle.load_crls(material.crl_pem) if material.crl_pem.strip() else ()
    signer, ttl = LocalSigner(key), chain[0].not_valid_after_utc - now
    own = bundle.own_crl(chain[0], given) or first_crl(
        chain[0], signer, "cli", now, ttl
    )
    upper = [(ca, bundle.own_crl(ca, given)) for ca in chain[1:]]
    missing = [certs.common_name(ca) for ca, found in upper if found is None]
    if missing:
        raise AuthorityError(
            f"no revocation list of {', '.join(missing)}",
            hint="agents demand a current list of every CA up to the root",
        )
    lists = (own, *(found for _, found in upper if found is not None))
    try:
        bundle.verify_chain(chain[0], chain, lists, now)
    except ChainInvalid as error:
        raise AuthorityError(f"the CA's chain does not hold: {error}") from None
    return lists


def _prove(
    made: NewAuthority,
    chain: tuple[x509.Certificate, ...],
    crls: tuple[RevocationList, ...],
    now: datetime,
) -> None:
    """Prove that what the CA signs is trusted: that it is a CA, and may sign leaves.

    Raises:
        AuthorityError: The server's certificate would not be.
    """
    try:
        bundle.verify_chain(made.server_certificate or chain[0], chain, crls, now)
    except ChainInvalid as error:
        hint = "the key must be that of a CA certificate, not of a node's"
        raise AuthorityError(f"this is no CA: {error}", hint=hint) from None


def _next_serial(ca: x509.Certificate, own: RevocationList) -> int:
    """Return a serial above every one that the CA is known to have used.

    The real tool begins at 1, which the CA may have issued and revoked before, or
    bear itself if it is its own issuer.
    """
    used = set(own.serials())
    if certs.is_self_issued(ca):
        used.add(ca.serial_number)
    return max((each for each in used if each < HIGHEST_SERIAL), default=0) + 1
