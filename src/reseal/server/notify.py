"""Tell the service manager how the server is.

Sources: sd_notify(3) (datagrams to the socket that NOTIFY_SOCKET names; a name that
begins with `@` is in the abstract namespace; RELOADING comes with the time).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

READY, STOPPING = "READY=1", "STOPPING=1"


def notify(*states: str) -> None:
    """Send states; without a service manager nothing happens."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
    ):
        told.sendto("\n".join(states).encode(), address)


def reloading() -> str:
    """Return the state of a server that reads its settings again."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
