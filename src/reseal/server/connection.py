"""One connection, watched: it may not keep silent, nor trickle, for long.

A node that opens connections and sends a byte now and then would hold them all.  A
request's head must arrive whole within a limit, and so must its body; the answer must
be taken at a pace; between two requests a connection may rest for a while.

Guarantee: room that was taken for a connection is given back once, however it ends.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import cast

from reseal.server.options import ListenerOptions

_PACE = 16 * 1024
"""Bytes a second at which an answer must be taken, beside the time of a request."""


class Connection(asyncio.Protocol):
    """Stands between a transport and the protocol that speaks HTTP."""

    def __init__(
        self,
        http: asyncio.Protocol,
        options: ListenerOptions,
        registry: dict[asyncio.BaseTransport, Connection],
        release: Callable[[], None],
    ) -> None:
        """Prepare for a connection.

        Args:
            http: Gets what arrives.
            options: The limits.
            registry: Where the connection stands while it is open.
            release: Called once, when its room is free again.
        """
        self._http, self._options, self._registry = http, options, registry
        self._release: Callable[[], None] | None = release
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._end = math.inf
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._registry[transport] = self
        self._http.connection_made(transport)
        self._watch(self._patience)

    def data_received(self, data: bytes) -> None:
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._registry.pop(self._transport, None)
        self._http.connection_lost(exc)
        self._give_back()

    def begin(self) -> None:
        """Note that a request's head is whole; its body has the same time again."""
        self._busy = True
        self._watch(self._patience)

    def received(self) -> None:
        """Note that a request is whole: from now on it is us who are waited for."""
        self._unwatch()

    def sending(self, size: int) -> None:
        """Note that an answer of `size` bytes begins."""
        self._watch(self._patience + size / _PACE)

    def end(self) -> None:
        """Note that a request was answered."""
        self._busy = False
        self._watch(self._options.idle_timeout.total_seconds())

    def close_if_idle(self) -> None:
        """Close a connection on which nothing is asked."""
        if not self._busy and self._transport is not None:
            self._transport.close()

    def give_up(self) -> None:
        """Give the room back if there never was a connection."""
        if self._transport is None:
            self._give_back()

    @property
    def _patience(self) -> float:
        return self._options.request_timeout.total_seconds()

    def _watch(self, seconds: float) -> None:
        """Give the connection so long.

        A request changes its mind four times; a timer is set only if none is earlier.
        """
        loop = asyncio.get_running_loop()
        self._end = loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._end:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(self._end, self._look)

    def _unwatch(self) -> None:
        self._end = math.inf

    def _look(self) -> None:
        """Cut the connection if its time is over, or look again when it will be."""
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._transport is not None and self._end <= loop.time():
            self._transport.abort()
        elif self._end < math.inf:
            self._timer = loop.call_at(self._end, self._look)

    def _give_back(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None
