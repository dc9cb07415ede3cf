"""Keep a CA going: a longer life for the same key, a shorter list, another place.

Guarantee: the CA's name, key and serial number never change here, so that every
certificate it issued stays valid and every peer finds the issuer it looks for.

Sources: puppetserver-ca-cli, `action/prune.rb` and `action/migrate.rb`;
puppetlabs-certregen (same key, new life); RFC 5280 section 4.2.1.1 (an authority
key identifier that names the issuer's serial number).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from reseal import files
from reseal.audit import audit
from reseal.ca.authority import Authority, load_key
from reseal.ca.lint import lint
from reseal.ca.profile import BACKDATE
from reseal.ca.revoke import next_update, own_list, serials_of, with_own_list
from reseal.certname import Certname
from reseal.clock import Clock
from reseal.errors import AuthorityError, NotFound
from reseal.x509 import bundle, certexts, crl, der, keys
from reseal.x509 import certificate as certs
from reseal.x509.certificate import Issuer, Template, fingerprint, seal, tbs
from reseal.x509.keys import LocalSigner, Signer


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken off the CA's list.

    Attributes:
        total: Entries before.
        duplicates: Second entries of a serial number.
        removed: Serial numbers that are no longer listed.
    """

    total: int
    duplicates: int
    removed: tuple[int, ...]


def extend(authority: Authority, ttl: timedelta, clock: Clock) -> Authority:
    """Give the CA, and the root above it, a longer life with the same keys.

    The root's key is needed for a chain (`root_key.pem`).  The lists are published
    again, so that they do not end before the certificates.  Nodes must get the new
    bundle; their certificates stay as they are.

    Args:
        authority: The CA.
        ttl: From now to the new end.
        clock: The time now.

    Returns:
        The CA with its new certificates.

    Raises:
        AuthorityError: No time is asked for, or a key above the signing CA's is
            not here.
    """
    if ttl <= timedelta(0):
        hint = "give the time from now to the new end, as 15y"
        raise AuthorityError(f"ttl {ttl}: is no time to live", hint=hint)
    now, chain = clock.now(), authority.bundle
    signers = (
        authority.issuer.signer,
        *(_signer_of(ca, authority) for ca in chain[1:]),
    )
    renewed: list[x509.Certificate] = []
    for position in reversed(range(len(chain))):
        above = min(position + 1, len(chain) - 1)
        issuer = renewed[0] if position != above else None
        fresh = _prolonged(chain[position], signers[above], issuer, now, ttl)
        renewed.insert(0, fresh)
    _publish_lists(authority, tuple(renewed), signers, now)
    authority.store.replace_bundle(bundle.dump_certificates(renewed))
    audit("authority.extended", fingerprint=fingerprint(renewed[0]))
    issuer_now = Issuer(renewed[0], authority.issuer.signer)
    return replace(authority, issuer=issuer_now, bundle=tuple(renewed))


def prune(
    authority: Authority,
    clock: Clock,
    *,
    expired: bool = False,
    serials: Iterable[int] = (),
    certnames: Iterable[Certname] = (),
) -> Pruned:
    """Take duplicates off the CA's list, and more if asked to.

    Args:
        authority: The CA; no server may be running on its cadir.
        clock: The time now.
        expired: Also what has expired according to the inventory.
        serials: Also these serial numbers, which are then valid again.
        certnames: Also every serial number of these names.
    """
    now, store = clock.now(), authority.store
    drop = set(serials)
    for certname in certnames:
        drop |= set(serials_of(certname, store, now))
    if expired:
        drop |= {row.serial for row in store.inventory() if row.not_after <= now}
    told: list[Pruned] = []
    store.update_crls(lambda pem: _shorten(pem, authority, drop, now, told))
    audit("crl.pruned", serials=[f"{serial:04X}" for serial in told[0].removed])
    return told[0]


def _shorten(
    pem: bytes, authority: Authority, drop: set[int], now: datetime, told: list[Pruned]
) -> bytes | None:
    lists = bundle.load_crls(pem)
    own = own_list(authority.issuer, lists)
    total = sum(1 for _ in der.elements(own.revoked_entries))
    removed = tuple(sorted(own.serials() & drop))
    told.append(Pruned(total, total - len(own), removed))
    if not removed and total == len(own):
        return None
    shorter = crl.prune(
        own,
        removed,
        authority.issuer.signer,
        this_update=now - timedelta(seconds=1),
        next_update=next_update(now, authority.layout.dialect),
    )
    return with_own_list(shorter, own, lists)


def migrate(old: Path, new: Path) -> None:
    """Move a cadir out of the ssldir and leave a link in its place.

    Safe to repeat after a crash in the middle.

    Args:
        old: Where it is, as `$ssldir/ca`.
        new: Where it shall be; must not exist.

    Raises:
        AuthorityError: There is nothing to move, or something in the way.
    """
    old, new = old.absolute(), new.absolute()
    link = old.with_name(".reseal-link")
    if old.is_symlink():
        raise AuthorityError(f"{old}: has been migrated, it leads to {old.readlink()}")
    if link.is_symlink() and not old.exists() and new.exists():
        link.rename(old)
        return
    if not old.is_dir():
        raise AuthorityError(f"{old}: no CA dir found", hint="check the setting cadir")
    if new.exists():
        hint = "the migration may have been done already; look what it holds"
        raise AuthorityError(f"{new}: exists, and is not overwritten", hint=hint)
    files.make_directory(new.parent, mode=0o755)
    status = old.stat()
    link.unlink(missing_ok=True)
    link.symlink_to(new)
    if os.geteuid() == 0:
        os.chown(link, status.st_uid, status.st_gid, follow_symlinks=False)
    try:
        old.rename(new)
    except OSError as error:
        link.unlink()
        hint = "both places must be on one file system"
        raise AuthorityError(f"{old}: cannot be moved: {error}", hint=hint) from None
    link.rename(old)
    audit("cadir.migrated", old=str(old), new=str(new))


def _prolonged(
    old: x509.Certificate,
    signer: Signer,
    issuer: x509.Certificate | None,
    now: datetime,
    ttl: timedelta,
) -> x509.Certificate:
    """Return the same certificate with a new life, within its issuer's."""
    end = max(old.not_valid_after_utc, now + ttl)
    if issuer is not None:
        end = min(end, issuer.not_valid_after_utc)
    template = Template(
        subject=certs.subject(old),
        issuer=certs.issuer(old),
        issuer_key=signer.public_key,
        serial=old.serial_number,
        not_before=min(old.not_valid_before_utc, now - BACKDATE),
        not_after=end,
        public_key=certs.public_key(old),
        extensions=certexts.extensions_of(old),
    )
    contents = tbs(template)
    lint(seal(contents, keys.throwaway(signer.public_key)), issuer, ca=True)
    return seal(contents, signer)


def _signer_of(ca: x509.Certificate, authority: Authority) -> Signer:
    """Return the signer of a CA above the signing one."""
    name, path = certs.common_name(ca), authority.cadir / "root_key.pem"
    hint = "its certificate must be renewed where that key is, then imported"
    try:
        signer = LocalSigner(load_key(path))
    except NotFound:
        raise AuthorityError(f"{name}: its key is not at {path}", hint=hint) from None
    if not keys.same_key(signer.public_key, certs.public_key(ca)):
        raise AuthorityError(f"{name}: {path} is another key", hint=hint)
    return signer


def _publish_lists(
    authority: Authority,
    chain: tuple[x509.Certificate, ...],
    signers: tuple[Signer, ...],
    now: datetime,
) -> None:
    """Publish every CA's list again, to end no earlier than the certificates."""

    def change(pem: bytes) -> bytes:
        lists = list(bundle.load_crls(pem))
        for ca, signer in zip(reversed(chain), reversed(signers), strict=True):
            own = own_list(Issuer(ca, signer), lists)
            begin = now - timedelta(seconds=1)
            end = max(own.next_update or now, ca.not_valid_after_utc)
            longer = crl.extend(own, (), signer, this_update=begin, next_update=end)
            lists = [longer, *(each for each in lists if each is not own)]
        return bundle.dump_crls(lists)

    authority.store.update_crls(change)
    authority.store.update_infra_crls(lambda pem, _: change(pem))
