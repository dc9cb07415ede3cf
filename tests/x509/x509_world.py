"""Keys, certificates and tools that the tests of x509 share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from hypothesis import settings

from reseal.x509 import certexts, crl, keys, names, oids
from reseal.x509 import certificate as certs
from reseal.x509.certexts import Extension
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry
from reseal.x509.keys import LocalSigner, PublicKey

DATA = Path(__file__).parent.parent / "data"
CADIRS = DATA / "cadir"
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY

calmly = settings(deadline=None)
"""For tests with examples: a machine under load is no failure."""


@cache
def signer(kind: str = "rsa:2048", which: str = "") -> LocalSigner:
    """Return a signer of its own for each `which`, made once in a run."""
    return LocalSigner(keys.generate(kind))


def seal(
    subject: str | bytes,
    key: PublicKey,
    issuer: bytes,
    by: LocalSigner,
    *,
    serial: int = 1,
    extensions: Iterable[Extension] = (),
    start: datetime = NOW - DAY,
    end: datetime = NOW + YEAR,
) -> x509.Certificate:
    template = certs.Template(
        subject, issuer, by.public_key, serial, start, end, key, tuple(extensions)
    )
    return certs.seal(certs.tbs(template), by)


def ca_extensions(key: PublicKey, issuer_key: PublicKey) -> tuple[Extension, ...]:
    return (
        certexts.basic_constraints(True),
        certexts.key_usage("key_cert_sign", "crl_sign"),
        certexts.subject_key_id(keys.key_id(key)),
        certexts.authority_key_id(keys.key_id(issuer_key)),
    )


def make_root(name: str, by: LocalSigner, end: datetime = NOW + YEAR) -> certs.Issuer:
    key, own = by.public_key, names.common_name(name)
    found = seal(own, key, own, by, extensions=ca_extensions(key, key), end=end)
    return certs.Issuer(found, by)


def make_ca(name: str, by: LocalSigner, root: certs.Issuer) -> certs.Issuer:
    key, above = by.public_key, root.signer
    assert isinstance(above, LocalSigner)
    extensions = ca_extensions(key, above.public_key)
    found = seal(name, key, root.name, above, serial=2, extensions=extensions)
    return certs.Issuer(found, by)


def make_leaf(
    name: str, ca: certs.Issuer, serial: int, end: datetime = NOW + YEAR
) -> x509.Certificate:
    key, by = signer("ec:secp256r1", name).public_key, ca.signer
    assert isinstance(by, LocalSigner)
    extensions = (
        certexts.subject_alt_name([f"DNS:{name[:60]}"]),
        certexts.authority_key_id(ca.key_id),
        certexts.subject_key_id(keys.key_id(key)),
        certexts.basic_constraints(False),
        certexts.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH),
        certexts.key_usage("digital_signature", "key_encipherment"),
    )
    return seal(name, key, ca.name, by, serial=serial, extensions=extensions, end=end)


def make_crl(
    ca: certs.Issuer,
    serials: Iterable[int] = (),
    *,
    number: int = 0,
    start: datetime = NOW - DAY,
    end: datetime = NOW + YEAR,
) -> RevocationList:
    return crl.build(
        ca.signer,
        ca.name,
        number=number,
        this_update=start,
        next_update=end,
        key_id=ca.key_id,
        entries=[Entry(serial, start) for serial in serials],
    )


def openssl(*arguments: str, stdin: bytes = b"", ok: bool = True) -> str:
    """Run openssl and return what it said; Debian's package is `openssl`."""
    run = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True)
    said = (run.stdout + run.stderr).decode(errors="replace")
    assert (run.returncode == 0) is ok, said
    return said
