"""What a repair of the CA does, each act safe to repeat.

Guarantee: no serial number comes free again, nothing revoked becomes valid, and no
certificate is forgotten.

Sources: RFC 5280 section 5 (lists); Puppet Server, `certificate_authority.clj`
(formats); reseal's own intents (`ca/issue.py`).
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from reseal import files, locks
from reseal.ca.revoke import next_update, own_list, revoke, with_own_list
from reseal.ca.world import World
from reseal.certname import Certname
from reseal.errors import AuthorityError, NotFound, StoreError
from reseal.x509 import bundle, crl
from reseal.x509.certificate import Issuer, common_name


def give(path: Path, owner: files.Owner) -> None:
    """Give a file to the CA's owner; StoreError for who is not root."""
    try:
        os.chown(path, *owner, follow_symlinks=False)
    except OSError as error:
        raise StoreError(f"{path}: cannot be given away: {error.strerror}") from None


def set_mode(path: Path, mode: int) -> None:
    """Set a file's mode; StoreError for who may not."""
    try:
        path.chmod(mode)
    except OSError as error:
        raise StoreError(f"{path}: mode cannot be set: {error.strerror}") from None


def put_ca_first(world: World) -> None:
    """Move the signing CA to the head of its bundle."""
    ordered = sorted(world.bundle, key=lambda each: each != world.ca)
    world.store.replace_bundle(bundle.dump_certificates(ordered))


def put_crl_first(world: World) -> None:
    """Move the CA's own list to the head of its bundle."""

    def change(pem: bytes) -> bytes:
        lists = bundle.load_crls(pem)
        own = own_list(_issuer(world), lists)
        return with_own_list(own, own, lists)

    world.store.update_crls(change)


def publish_list(world: World) -> None:
    """Publish the CA's list again with the same entries and a new end."""
    issuer = _issuer(world)

    def change(pem: bytes) -> bytes:
        lists = bundle.load_crls(pem)
        own = own_list(issuer, lists)
        begin, end = (
            world.now - timedelta(seconds=1),
            next_update(world.now, world.dialect),
        )
        longer = crl.extend(own, (), issuer.signer, this_update=begin, next_update=end)
        return with_own_list(longer, own, lists)

    world.store.update_crls(change)


def set_serial(world: World) -> None:
    """Let the serial numbers go on above the highest that is known."""
    path, following = world.cadir / "serial", world.highest + 1
    with locks.locked(world.cadir):
        try:
            following = max(following, int(files.read(path).strip(), 16))
        except (ValueError, NotFound):
            following = world.highest + 1
        files.replace(path, b"%04X" % following, mode=0o644)


def settle(world: World, draft: x509.Certificate) -> None:
    """Settle an intent: its certificate may have been signed.

    It gets its row.  If it is the name's current certificate, that is all; if the
    name has none, or an older one, nobody was given it, and it is revoked.
    """
    world.store.add_rows([draft])
    try:
        current = world.store.get(Certname(common_name(draft))).serial_number
    except NotFound:
        current = 0
    if current < draft.serial_number:
        serials = [draft.serial_number]
        revoke(
            serials,
            issuer=_issuer(world),
            store=world.store,
            clock=world.clock,
            dialect=world.dialect,
        )
    world.store.drop_intent(draft.serial_number)


def _issuer(world: World) -> Issuer:
    if world.issuer is None:
        raise AuthorityError(f"{world.cadir}: the CA's key is needed for this")
    return world.issuer
