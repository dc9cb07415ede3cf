"""Connections in: taken, shared among workers, shaken hands with, counted, closed.

Each connection gets the TLS context of its own moment.  Guarantee: no more are open
than there is room for, and room that a connection had is free again when it ends.

Sources: asyncio, `connect_accepted_socket`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable

from reseal.server.balance import Place
from reseal.server.connection import Connection
from reseal.server.options import ListenerOptions
from reseal.server.tls import Contexts

_LOG = logging.getLogger("reseal.server")
_HANDSHAKE = 15.0
_LAST_WORD = 60.0
"""Seconds that connections have to end when no more are taken."""

_SETTLED = 1.0
"""Seconds between two looks at TLS's files, which must find the same change."""

_PAUSE = 0.2
_MOMENT = 0.002
"""Seconds in which a worker that has fewer connections may take the next one."""


class Door:
    """Takes the connections of one event loop.

    Attributes:
        open: Those that are open, by their transports.
        closing: No more are taken; those that are open end after their next answer.
    """

    def __init__(
        self,
        limits: ListenerOptions,
        contexts: Contexts | None,
        http: Callable[[], asyncio.Protocol],
        place: Place | None,
    ) -> None:
        """Prepare to take connections.

        Args:
            limits: How many, and how patient to be with each.
            contexts: TLS; None speaks plain HTTP.
            http: Makes what speaks HTTP on a connection.
            place: Among the processes that share the socket; None is alone.
        """
        self.open: dict[asyncio.BaseTransport, Connection] = {}
        self.closing = False
        self._limits, self._contexts = limits, contexts
        self._http, self._place, self._taken = http, place, 0
        self._room = asyncio.Semaphore(limits.connections)
        self._greeting: set[asyncio.Task[None]] = set()

    async def take(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Take connections until `stop` is set.

        Args:
            listening: Bound, listening and not blocking; shared with other processes.
            stop: Set when no more connections are to be taken.
        """
        tasks = [asyncio.create_task(self._accept(listening))]
        if self._contexts is not None:
            tasks.append(asyncio.create_task(self._keep_fresh(self._contexts)))
        await stop.wait()
        self.closing = True
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def close(self, *, gently: bool) -> None:
        """Let what is in flight be answered, then close; within a minute.

        Args:
            gently: A kept connection on which nothing is asked is not closed at once,
                but after its next answer, or when it has been silent for too long.
        """
        limit = time.monotonic() + _LAST_WORD
        while (self.open or self._greeting) and time.monotonic() < limit:
            for connection in [] if gently else [*self.open.values()]:
                connection.close_if_idle()
            await asyncio.sleep(0.02)

    async def _keep_fresh(self, contexts: Contexts) -> None:
        """Make the context while nobody waits for it, once its files have settled.

        While a list changes all the time, only who connects has it made.
        """
        loop, seen, tried = asyncio.get_running_loop(), None, None
        while True:
            await asyncio.sleep(_SETTLED)
            found = contexts.changed()
            if found is not None and found == seen != tried:
                tried = found
                try:
                    await loop.run_in_executor(None, contexts.current)
                except Exception:
                    _LOG.exception("TLS is made anew when somebody connects")
            seen = found

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            await self._room.acquire()
            try:
                accepted = await self._next(listening)
            except OSError as error:
                self._room.release()
                _LOG.error("no connection can be taken: %s", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            self._count(1)
            task = asyncio.create_task(self._greet(accepted))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    async def _next(self, listening: socket.socket) -> socket.socket:
        """Wait for a connection; a worker that has fewer may take it first."""
        while True:
            await _until_readable(listening)
            if self._place is not None and self._place.has_more():
                await asyncio.sleep(_MOMENT)
            with contextlib.suppress(BlockingIOError):
                accepted, _ = listening.accept()
                accepted.setblocking(False)
                return accepted

    def _count(self, change: int) -> None:
        self._taken += change
        if self._place is not None:
            self._place.has(self._taken)

    def _leave(self) -> None:
        """Note that a connection has ended, or never was."""
        self._count(-1)
        self._room.release()

    async def _greet(self, accepted: socket.socket) -> None:
        """Shake hands; the connection gives its room back when it ends."""
        loop = asyncio.get_running_loop()
        connection = Connection(self._http(), self._limits, self.open, self._leave)
        with contextlib.suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            tls = await self._tls()
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE if tls else None,
                ssl_shutdown_timeout=2.0 if tls else None,
            )
        except (OSError, ssl.SSLError) as error:
            _LOG.debug("no handshake: %s", error)
        finally:
            connection.give_up()

    async def _tls(self) -> ssl.SSLContext | None:
        """Return the context of this moment; a list of 100,000 takes its time."""
        if self._contexts is None:
            return None
        held = self._contexts.held()
        if held is not None:
            return held
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._contexts.current)


async def _until_readable(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not found.done():
            found.set_result(None)

    loop.add_reader(listening, wake)
    try:
        await found
    finally:
        loop.remove_reader(listening)
