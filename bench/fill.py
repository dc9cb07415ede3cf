"""Grow a Puppet CA to a number of certificates, and its list to as many entries.

Certificates are whole but for the signature, which is copied from the first one: no
server looks at it, and to sign 100,000 would take minutes.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reseal.ca.authority import Authority, load
from reseal.ca.profile import leaf_extensions
from reseal.ca.revoke import revoke
from reseal.clock import SystemClock
from reseal.store import open_cadir
from reseal.store.protocol import InventoryRow
from reseal.x509 import der, keys
from reseal.x509.certificate import Template, load_der, tbs, to_pem


def name_of(serial: int) -> str:
    """Return the certname of a certificate that `fill` makes."""
    return f"n{serial:06d}.lab.test"


def fill(cadir: Path, until: int) -> None:
    """Issue certificates until the next serial is `until`; the server is down."""
    authority = load(cadir, open_cadir(cadir))
    key = keys.LocalSigner(keys.generate("rsa:2048"))
    algorithm = keys.signature_algorithm(authority.issuer.signer.public_key)
    signature, rows = b"", list[bytes]()
    for serial in range(int((cadir / "serial").read_text(), 16), until):
        body = _body(authority, key, serial)
        signature = signature or der.bit_string(authority.issuer.signer.sign(body))
        certificate = load_der(der.sequence(body, algorithm, signature))
        path = cadir / f"signed/{name_of(serial)}.pem"
        path.write_bytes(to_pem(certificate))
        rows.append(InventoryRow.of(certificate).line())
    with (cadir / "inventory.txt").open("ab") as inventory:
        inventory.writelines(rows)
    (cadir / "serial").write_text(f"{until:04X}")
    _own(cadir)


def revoke_many(cadir: Path, count: int) -> None:
    """Put the serial numbers above a million on the list, as if long gone."""
    authority = load(cadir, open_cadir(cadir))
    revoke(
        range(1_000_000, 1_000_000 + count),
        issuer=authority.issuer,
        store=open_cadir(cadir),
        clock=SystemClock(),
    )
    _own(cadir)


def _body(authority: Authority, key: keys.LocalSigner, serial: int) -> bytes:
    issuer, now = authority.issuer, datetime.now(UTC).replace(microsecond=0)
    return tbs(
        Template(
            subject=name_of(serial),
            issuer=issuer.name,
            issuer_key=issuer.signer.public_key,
            serial=serial,
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=1000),
            public_key=key.public_key,
            extensions=leaf_extensions(
                "server", issuer.certificate, key.public_key, (), ()
            ),
        )
    )


def _own(cadir: Path) -> None:
    """Give everything to the directory's owner."""
    owner = cadir.stat()
    for directory, _, files in os.walk(cadir):
        for name in (".", *files):
            os.chown(Path(directory, name), owner.st_uid, owner.st_gid)
