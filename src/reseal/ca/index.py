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

_LOG = logging.getLogger("reseal.ca")

_FEW = 100
"""Rows that may be made anew each time before the index is written again."""

Tell = Callable[[Certname, x509.Certificate], bytes]


def read_index(store: Store, name: str, tell: Tell) -> Iterator[tuple[str, int, bytes]]:
    """Yield name, serial number and words of each certificate, sorted by name.

    Args:
        store: Has the certificates and the index.
        name: Of the index; another one for other words.
        tell: Puts a certificate into words, without a line feed.
    """
    for line in _lines(store, name, tell):
        certname, _, serial, words = line.split(b"\t", 3)
        yield certname.decode(), int(serial), words


def _lines(store: Store, index: str, tell: Tell) -> list[bytes]:
    """Return the index as it is now, and keep it if much is new."""
    held, made, found = _held(store, index), 0, list[bytes]()
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
            store.keep_derived(index, b"\n".join((_form(index), *found)))
        except StoreError as error:
            _LOG.info("%s: lists of all certificates are slow", error)
    return found


def _held(store: Store, index: str) -> dict[bytes, bytes]:
    """Return the lines of the kept index by name."""
    try:
        data = store.derived(index)
    except NotFound:
        return {}
    except StoreError as error:
        _LOG.info("%s: lists of all certificates are slow", error)
        return {}
    form, *lines = data.split(b"\n")
    if form != _form(index):
        return {}
    return {line[: line.find(b"\t")]: line for line in lines}


def _form(index: str) -> bytes:
    """Return the first line of an index; another form of it gets another number."""
    return f"reseal {index} 1".encode()
