"""A value made from files, and made anew as soon as they change.

Guarantee: what is returned was made from what the files held at the call, or later;
what has not changed is not read or parsed twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is made anew when its stamp is another."""

    def __init__(self, stamp: Callable[[], Hashable], make: Callable[[], T]) -> None:
        self._stamp, self._make = stamp, make
        self._lock = threading.Lock()
        self._held: tuple[Hashable, T] | None = None

    def get(self) -> T:
        """Return the value; of the moment of the call, or later."""
        with self._lock:
            stamp = self._stamp()
            if self._held is None or self._held[0] != stamp:
                self._held = stamp, self._make()
            return self._held[1]
