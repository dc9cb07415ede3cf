"""How many connections each worker has, for all of them to see.

Workers take connections from one socket, and the kernel wakes them all: without more,
the first to run takes several in a row and others rest.  A worker that has more than
another one leaves a new connection to it, for a moment.
"""

from __future__ import annotations

import mmap
import struct

_COUNT = struct.Struct("=I")


class Balance:
    """Counts in memory that the workers of a pool share."""

    def __init__(self, size: int) -> None:
        """Make room for `size` workers, before they are started."""
        self._shared = mmap.mmap(-1, size * _COUNT.size)

    def place(self, number: int) -> Place:
        """Return the place of one worker; it begins without connections."""
        found = Place(self._shared, number)
        found.has(0)
        return found


class Place:
    """Where one worker writes its count, and reads the others'."""

    def __init__(self, shared: mmap.mmap, number: int) -> None:
        self._shared, self._number = shared, number

    def has(self, count: int) -> None:
        """Tell how many connections this worker has."""
        _COUNT.pack_into(self._shared, self._number * _COUNT.size, count)

    def has_more(self) -> bool:
        """Say whether another worker has fewer connections."""
        counts: list[int] = [n for (n,) in _COUNT.iter_unpack(self._shared[:])]
        return counts[self._number] > min(counts)
