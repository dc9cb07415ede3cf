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
from io import BytesIO

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

    At most one certificate's words are in memory beside the index itself.

    Args:
        store: Has the certificates and the index.
        name: Of the index; another one for other words.
        tell: Puts a certificate into words, without a line feed.
    """
    index, fresh, count = _Held(store, name), dict[str, bytes](), 0
    for certname, stamp in sorted(store.certificate_stamps()):
        head = f"{certname}\t{stamp}\t".encode()
        line = index.line(head)
        if line is None:
            told = _told(store, certname, tell)
            if told is None:
                continue
            line = fresh[certname] = b"%b%d\t%b" % (head, *told)
        _, _, serial, words = line.split(b"\t", 3)
        yield certname, int(serial), words
        count += 1
    if len(fresh) > max(_FEW, count // 100):
        _keep(store, name, fresh)


def _told(store: Store, name: str, tell: Tell) -> tuple[int, bytes] | None:
    """Return a certificate's serial number and words; None without one."""
    try:
        certname = Certname(name)
        certificate = store.get(certname)
    except (InvalidCertname, NotFound):
        return None
    return certificate.serial_number, tell(certname, certificate)


def _keep(store: Store, name: str, fresh: dict[str, bytes]) -> None:
    """Keep an index with the lines that are new, and what still holds of the old."""
    index, lines = _Held(store, name), [_form(name)]
    for certname, stamp in sorted(store.certificate_stamps()):
        head = f"{certname}\t{stamp}\t".encode()
        line = index.line(head) or fresh.get(certname, b"")
        if line.startswith(head):
            lines.append(line)
    try:
        store.keep_derived(name, b"\n".join(lines))
    except StoreError as error:
        _LOG.info("%s: lists of all certificates are slow", error)


class _Held:
    """The index as it was kept, read from its beginning to its end."""

    def __init__(self, store: Store, name: str) -> None:
        self._lines = _lines(store, name)
        self._line = next(self._lines, None)

    def line(self, head: bytes) -> bytes | None:
        """Return the line that begins so, or None; heads come in the lines' order."""
        name = head[: head.index(b"\t") + 1]
        while self._line is not None and self._line < name:
            self._line = next(self._lines, None)
        found = self._line is not None and self._line.startswith(head)
        return self._line if found else None


def _lines(store: Store, name: str) -> Iterator[bytes]:
    """Yield the lines of a kept index, without their ends."""
    try:
        data = BytesIO(store.derived(name))
    except NotFound:
        return
    except StoreError as error:
        _LOG.info("%s: lists of all certificates are slow", error)
        return
    if data.readline().rstrip(b"\n") != _form(name):
        return
    for line in data:
        yield line.rstrip(b"\n")


def _form(index: str) -> bytes:
    """Return the first line of an index; another form of it gets another number."""
    return f"reseal {index} 1".encode()
