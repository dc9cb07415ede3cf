"""Grow a Puppet CA to a number of certificates, and its list to as many entries.

Certificates are whole but for the signature, which is copied from the first one: no
server looks at it, and to sign 100,000 would take minutes.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reseal import files
from reseal.ca.authority import Authority, load
from reseal.ca.profile import Profile, leaf_extensions, puppet_values
from reseal.ca.revoke import revoke
from reseal.ca.sign import generate
from reseal.certname import Certname
from reseal.clock import SystemClock
from reseal.store import open_cadir
from reseal.store.protocol import InventoryRow
from reseal.x509 import der, keys, oids
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


def give_elliptic_key(cadir: Path, pair: tuple[str, str], certname: str) -> None:
    """Replace the host's pair by one with an EC key; the server is down.

    Args:
        cadir: Of the CA that issues the certificate.
        pair: Files of the host's certificate and key, which keep their owners.
        certname: The host's.
    """
    authority, name = load(cadir, open_cadir(cadir)), Certname(certname)
    authority.store.remove_certificate(name)
    private = keys.generate("ec:secp256r1")
    made = generate(
        authority,
        name,
        private.public_key(),
        profile=Profile(ttl=timedelta(days=1000), dialect=authority.layout.dialect),
        clock=SystemClock(),
        alt_names=(f"DNS:{name}",),
        extensions=puppet_values({oids.PP_CLI_AUTH: "true"}),
    )
    files.replace(pair[0], to_pem(made), mode=0o644)
    files.replace(pair[1], keys.dump_private(private), mode=0o640)
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
    for directory, _, names in os.walk(cadir):
        for name in (".", *names):
            os.chown(Path(directory, name), owner.st_uid, owner.st_gid)
