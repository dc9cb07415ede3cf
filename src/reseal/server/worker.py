"""One worker process: serves the shared port until it is told to end.

SIGTERM ends it as soon as what is in flight is answered, SIGQUIT lets kept
connections have their next answer first.  It also ends when the process that watches
it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from reseal.server.balance import Place
from reseal.server.listener import Listener

READY = b"1"


@dataclass(frozen=True, slots=True)
class Strings:
    """What ties a worker to the process that watches it.

    Attributes:
        ready: Gets `READY` once connections are taken.
        lifeline: Ends when the watching process does.
        place: Where it tells how many connections it has.
    """

    ready: int
    lifeline: int
    place: Place


def work(
    make: Callable[[Place], Listener], listening: socket.socket, strings: Strings
) -> None:
    """Serve, in this process, until a signal or the end of the watching process.

    Args:
        make: Makes the listener, in the loop it will run in.
        listening: The socket that all workers share.
        strings: What ties the worker to the watching process.
    """
    asyncio.run(_work(make, listening, strings))


async def _work(
    make: Callable[[Place], Listener], listening: socket.socket, strings: Strings
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    listener, gently = make(strings.place), False

    def end(gentle: bool) -> None:
        nonlocal gently
        gently = gentle
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, end, False)
    loop.add_signal_handler(signal.SIGQUIT, end, True)
    loop.add_reader(strings.lifeline, end, False)
    serving = asyncio.create_task(listener.run(listening, stop))
    await asyncio.sleep(0)
    with contextlib.suppress(BrokenPipeError):
        os.write(strings.ready, READY)
    os.close(strings.ready)
    await serving
    loop.remove_reader(strings.lifeline)
    listening.close()
    await listener.end(gently=gently)
