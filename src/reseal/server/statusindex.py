"""What every certificate says, in words, kept beside the certificates.

To read 100,000 certificates takes seconds; to see that none of them is another than
it was takes a look at each file's stamp.  The index has a line for each certificate:
name, stamp, serial number and the words, with tabs between them.  All workers share it.

Guarantee: a row is made from the certificate that is there now.  The index is only a
memory of that: without it, or with one that cannot be read, rows are made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from cryptography import x509

from reseal.certname import Certname
from reseal.errors import InvalidCertname, NotFound, StoreError
from reseal.store.protocol import Store

_LOG = logging.getLogger("reseal.server")
NAME = "statuses"
_FORM = b"reseal statuses 1"
"""First line of the index; another form of it gets another one."""

_FEW = 100
"""Rows that may be made anew each time before the index is written again."""

Tell = Callable[[Certname, x509.Certificate], bytes]


def read_index(store: Store, tell: Tell) -> Iterator[tuple[int, bytes]]:
    """Yield the serial number and the words of each certificate, sorted by name.

    Args:
        store: Has the certificates and the index.
        tell: Puts a certificate into words, without a line feed.
    """
    for line in _lines(store, tell):
        _, _, serial, words = line.split(b"\t", 3)
        yield int(serial), words


def _lines(store: Store, tell: Tell) -> list[bytes]:
    """Return the index as it is now, and keep it if much is new."""
    held, made, found = _held(store), 0, list[bytes]()
    for name, stamp in store.certificate_stamps():
        key = name.encode()
        line = held.get(key, b"")
        head = f"{name}\t{stamp}\t".encode()
        if not line.startswith(head):
            try:
                certname = Certname(name)
                certificate = store.get(certname)
            except (InvalidCertname, NotFound):
                continue
            words = tell(certname, certificate)
            line = b"%b%d\t%b" % (head, certificate.serial_number, words)
            made += 1
        found.append(line)
    found.sort()
    if made > max(_FEW, len(found) // 100):
        try:
            store.keep_derived(NAME, b"\n".join((_FORM, *found)))
        except StoreError as error:
            _LOG.warning("%s: lists of all certificates are slow", error)
    return found


def _held(store: Store) -> dict[bytes, bytes]:
    """Return the lines of the kept index by name."""
    try:
        data = store.derived(NAME)
    except NotFound:
        return {}
    except StoreError as error:
        _LOG.warning("%s: lists of all certificates are slow", error)
        return {}
    form, *lines = data.split(b"\n")
    if form != _FORM:
        return {}
    return {line[: line.find(b"\t")]: line for line in lines}
