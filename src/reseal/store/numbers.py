"""Puppet's serial numbers: a file with the next one.

Guarantee: no two processes get one number, the Ruby CA of Puppet 5.5 among them, which
locks the file itself.

Sources: Puppet 5.5, `ssl/certificate_authority.rb` (`next_serial`); Puppet Server,
`certificate_authority.clj` (`next-serial-number!`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from reseal import files, locks
from reseal.errors import StoreError
from reseal.store.formats import parse_serial, render_serial
from reseal.store.protocol import HIGHEST_SERIAL


def take_serials(cadir: Path, count: int, *, mode: int) -> range:
    """Take the next numbers from a cadir's file `serial`.

    Args:
        cadir: Where the file is.
        count: How many.
        mode: Permission bits of the file.

    Raises:
        StoreError: There are not so many left, or the file cannot be replaced.
        StoreLocked: Another process held the cadir all the time.
        StoreCorrupt: The file holds no number.
    """
    path = f"{cadir}/serial"
    with locks.locked(cadir), _ruby_lock(path):
        first = parse_serial(files.read(path), path)
        after = first + count
        if after - 1 > HIGHEST_SERIAL:
            hint = "the CA has used up its serial numbers: set up a new one"
            raise StoreError(f"{path}: no serial number is left", hint=hint)
        files.replace(path, render_serial(after), mode=mode)
    return range(first, after)


@contextlib.contextmanager
def _ruby_lock(path: str) -> Iterator[None]:
    """Hold the flock that Puppet's Ruby CA takes on the serial file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        if not locks.wait_for(handle, locks.LOCK_TIMEOUT):
            raise StoreError(f"{path}: another program holds it")
        yield
    finally:
        os.close(handle)
