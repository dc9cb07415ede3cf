"""Worker processes of one generation of settings.

Guarantee: a worker that this process started is either running, or was waited for.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reseal.errors import ResealError
from reseal.server.balance import Balance, Place
from reseal.server.worker import READY, Strings

_LOG = logging.getLogger("reseal.server")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""What the watching process waits for, and workers do not."""

READY_WITHIN = 30.0
Serve = Callable[[socket.socket, Strings], None]
"""Serves a socket in a worker until it is told to end."""


@dataclass
class Pool:
    """Workers that serve one socket with the same settings.

    Attributes:
        serve: What a worker does, in the worker.
        listening: The socket they share.
        size: How many there shall be.
        lifeline: A pipe whose writing end this process alone holds.
        running: Process id to the time it was started, of a clock that never goes
            back.
        places: Process id to the place among the workers; a free one is taken again.
    """

    serve: Serve
    listening: socket.socket
    size: int
    lifeline: tuple[int, int]
    running: dict[int, float] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._balance = Balance(self.size)

    def fill(self) -> bool:
        """Start the workers that are missing; False if one does not come up."""
        fresh = [self._start() for _ in range(self.size - len(self.running))]
        return _wait_for(fresh)

    def tell(self, number: signal.Signals) -> None:
        """Send every worker a signal."""
        for pid in self.running:
            os.kill(pid, number)

    def _start(self) -> int:
        """Fork a worker, and return the pipe on which it says that it is ready."""
        read, write = os.pipe()
        number = min(set(range(self.size)) - {self.places[p] for p in self.running})
        pid = os.fork()
        if pid == 0:
            self._become_worker(read, write, self._balance.place(number))
        os.close(write)
        self.running[pid], self.places[pid] = time.monotonic(), number
        return read

    def _become_worker(self, read: int, write: int, place: Place) -> None:
        """Work, and end the process; never returns."""
        code = 1
        try:
            os.close(read)
            os.close(self.lifeline[1])
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            strings = Strings(write, self.lifeline[0], place)
            self.serve(self.listening, strings)
            code = 0
        except ResealError as error:
            _LOG.error("%s", error)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def _wait_for(pipes: Iterable[int]) -> bool:
    """Return whether every new worker says that it is ready."""
    limit, ready = time.monotonic() + READY_WITHIN, True
    for pipe in pipes:
        left = max(0.0, limit - time.monotonic())
        found, _, _ = select.select([pipe], [], [], left)
        ready = bool(found) and os.read(pipe, 1) == READY and ready
        os.close(pipe)
    return ready
