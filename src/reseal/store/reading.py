"""Read single files of a cadir as what they are.

Sources: Puppet Server, `certificate_authority_core.clj` (`If-Modified-Since` is held
against the time of the file).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509

from reseal import files
from reseal.errors import StoreCorrupt
from reseal.store.protocol import Published

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_published(path: files.StrPath) -> Published:
    """Return a file's bytes and time; NotFound without it.

    The time is read first: a file that is replaced meanwhile looks older than it is,
    so that nobody who asks for what is newer is sent away.
    """
    nanoseconds = files.stamp(path)[0]
    modified = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return Published(files.read(path), modified)


def read_certificate(pem: bytes, where: files.StrPath) -> x509.Certificate:
    """Return the certificate of a file's bytes; StoreCorrupt names the file."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise StoreCorrupt(f"{where}: not a certificate") from None
