"""The process that watches: starts workers, replaces them, and ends with them.

Workers share one listening socket, so that no connection is refused while settings
are read again: new workers take over, and the old ones answer what they have begun.

Guarantee: settings that do not hold change nothing; as long as the process runs, so
does every worker, and none is left behind.

Sources: signal(7); sd_notify(3); nginx, "Controlling nginx" (HUP and QUIT).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from reseal.errors import AuthorityError, ResealError
from reseal.server.notify import READY, STOPPING, notify, reloading
from reseal.server.options import ListenerOptions
from reseal.server.pool import SIGNALS, Pool, Serve

_LOG = logging.getLogger("reseal.server")
_BACKLOG = 4096
_PATIENCE = 70.0
"""Seconds that workers get to end before they are ended."""

_BREATH = 1.0
"""Seconds between two starts of a worker that ends by itself."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What holds from one reading of the settings to the next.

    Attributes:
        options: Where to listen, and how many workers.
        serve: What a worker does, in the worker.
        care: Looks after the CA; returns in how many seconds to call it again.
    """

    options: ListenerOptions
    serve: Serve
    care: Callable[[], float]


class Supervisor:
    """Runs a server from its start to its end."""

    def __init__(
        self,
        load: Callable[[], Generation],
        *,
        bound: Callable[[], None],
        started: Callable[[int], None],
    ) -> None:
        """Prepare to run.

        Args:
            load: Reads the settings.
            bound: Called once the port is had, before a worker starts.
            started: Told the port once requests are answered.
        """
        self._load, self._bound, self._started = load, bound, started
        self._lifeline = os.pipe()
        self._leaving: list[Pool] = []
        self._care_at = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ResealError: The server could not be started.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._generation = self._load()
        listening = bind(self._generation.options)
        self._bound()
        self._pool = self._new_pool(self._generation, listening)
        if not self._pool.fill():
            self._end()
            raise AuthorityError(
                "a worker did not start", hint="the lines above say why"
            )
        self._started(listening.getsockname()[1])
        notify(READY)
        self._look_after()
        while (told := self._wait()) not in (signal.SIGTERM, signal.SIGINT):
            if told == signal.SIGHUP:
                self._reload()
            self._reap()
            self._look_after()
        notify(STOPPING)
        _LOG.info("ending: requests in flight are answered first")
        self._end()

    def _wait(self) -> int | None:
        """Return the next signal; None when it is time to look after things."""
        limit = max(0.0, self._care_at - time.monotonic())
        missing = len(self._pool.running) < self._pool.size
        found = signal.sigtimedwait(SIGNALS, min(limit, _BREATH) if missing else limit)
        return found.si_signo if found else None

    def _look_after(self) -> None:
        """Replace workers that ended, and look after the CA when it is time."""
        now = time.monotonic()
        if len(self._pool.running) < self._pool.size:
            self._pool.fill()
        if now >= self._care_at:
            self._care_at = now + self._generation.care()

    def _reload(self) -> None:
        """Let new workers take over with the settings as they are now."""
        notify(reloading())
        try:
            generation = self._load()
            listening = self._pool.listening
            if _place(generation.options) != _place(self._generation.options):
                listening = bind(generation.options)
        except ResealError as error:
            _LOG.error("%s; nothing is changed", error)
            notify(READY)
            return
        fresh = self._new_pool(generation, listening)
        if fresh.fill():
            self._replace(generation, fresh)
        else:
            fresh.tell(signal.SIGTERM)
            self._leaving.append(fresh)
            _LOG.error("the new workers did not start; nothing is changed")
        notify(READY)

    def _replace(self, generation: Generation, fresh: Pool) -> None:
        old, self._pool, self._generation = self._pool, fresh, generation
        old.tell(signal.SIGQUIT)
        self._leaving.append(old)
        if old.listening is not fresh.listening:
            old.listening.close()
        self._care_at = 0.0
        _LOG.info("the settings were read again")

    def _reap(self) -> None:
        """Take note of workers that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for pool in (self._pool, *self._leaving):
                begun = pool.running.pop(pid, None)
                if begun is not None and pool is self._pool:
                    code = os.waitstatus_to_exitcode(status)
                    _LOG.error("worker %d ended with %d; another is started", pid, code)
                    if time.monotonic() - begun < _BREATH:
                        time.sleep(_BREATH)
            self._leaving = [pool for pool in self._leaving if pool.running]

    def _end(self) -> None:
        """End every worker: at once if a second signal says so."""
        pools = (self._pool, *self._leaving)
        limit = time.monotonic() + _PATIENCE
        for pool in pools:
            pool.tell(signal.SIGTERM)
        self._pool.size = 0
        while any(pool.running for pool in pools):
            found = signal.sigtimedwait(SIGNALS, 1.0)
            again = found and found.si_signo in (signal.SIGTERM, signal.SIGINT)
            if again or time.monotonic() > limit:
                for pool in pools:
                    pool.tell(signal.SIGKILL)
            self._reap_quietly(pools)

    def _reap_quietly(self, pools: tuple[Pool, ...]) -> None:
        for pool in pools:
            for pid in [*pool.running]:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del pool.running[pid]

    def _new_pool(self, generation: Generation, listening: socket.socket) -> Pool:
        size = generation.options.workers or os.cpu_count() or 1
        return Pool(generation.serve, listening, size, self._lifeline)


def _place(options: ListenerOptions) -> tuple[str, int]:
    return options.host, options.port


def bind(options: ListenerOptions) -> socket.socket:
    """Return a socket that listens, for workers to share.

    Raises:
        AuthorityError: The address cannot be had; the hint says who may have it.
    """
    host, port = _place(options)
    try:
        kind, passive = socket.SOCK_STREAM, socket.AI_PASSIVE
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=kind, flags=passive
        )[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(
            address, family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        hint = (
            "another server has it: stop that one first, as with "
            "'systemctl stop puppetserver', or listen elsewhere with --port"
        )
        raise AuthorityError(
            f"{host}, port {port}: cannot be listened on: {error.strerror}", hint=hint
        ) from None
    listening.setblocking(False)
    return listening
