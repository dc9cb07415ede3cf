"""Measure revocation lists of 100,000 entries.

Prints how long it takes to read a list from its file's bytes, to find that a serial
number is not on it, to add one and sign it anew with an RSA-4096 key, and the same
addition with cryptography's own builder.  Run: python bench/crl.py [ENTRIES]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from reseal.x509 import bundle, crl, names
from reseal.x509.crl import RevocationList
from reseal.x509.crlentry import Entry
from reseal.x509.keys import LocalSigner, PrivateKey, generate, key_id

THEN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = THEN + timedelta(days=5 * 365)
ROUNDS = 5


def best(work: Callable[[], object]) -> float:
    """Return the milliseconds of the quickest of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken) * 1000


def with_cryptography(pem: bytes, key: PrivateKey) -> x509.CertificateRevocationList:
    """Add one entry as cryptography's documentation shows, in full."""
    old = x509.load_pem_x509_crl(pem)
    builder = x509.CertificateRevocationListBuilder().issuer_name(old.issuer)
    builder = builder.last_update(THEN).next_update(LATER)
    builder = builder.add_extension(x509.CRLNumber(2), critical=False)
    new = x509.RevokedCertificateBuilder().serial_number(1).revocation_date(THEN)
    # One assignment: adding each entry by the public way takes minutes.
    builder._revoked_certificates = [*old, new.build()]
    return builder.sign(key, hashes.SHA256())


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    key = generate("rsa:4096")
    signer = LocalSigner(key)
    entries = [Entry(0x10000 + number, THEN) for number in range(count)]
    old = crl.build(
        signer,
        names.common_name("Puppet CA: bench"),
        number=0,
        this_update=THEN,
        next_update=LATER,
        key_id=key_id(signer.public_key),
        entries=entries,
    )
    pem = old.pem

    def load() -> RevocationList:
        return bundle.load_crls(pem)[0]

    def revoke() -> bytes:
        new = Entry(0x9001, THEN)
        found = crl.extend(load(), [new], signer, this_update=THEN, next_update=LATER)
        return found.pem

    rows = (
        ("read it", load),
        ("a number that is not on it", lambda: old.revoked(0x7FFFFFFF)),
        ("read, and find a number that is on it", lambda: load().revoked(0x10001)),
        ("read, add one, sign, write", revoke),
        ("the same with cryptography alone", lambda: with_cryptography(pem, key)),
    )
    print(f"a list of {count} entries, {len(pem)} bytes in PEM")
    for title, work in rows:
        print(f"  {title:40}{best(work):8.1f} ms")


if __name__ == "__main__":
    main()
