"""Answers that are held back until a certificate is signed.

A node asks for its certificate with `Prefer: wait=60`, and has the answer as soon as
somebody signs, instead of asking again and again.  While nodes wait, one look at the
directory of certificates each quarter of a second serves all of them; while none does,
nobody looks.

Guarantee: so many wait, and no more; who waits is answered when the server is to stop.

Sources: RFC 7240 section 4.3 (`wait`), section 3 (`Preference-Applied`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from urllib.parse import unquote

from reseal.certname import Certname
from reseal.errors import InvalidCertname, StoreError
from reseal.server.access import API
from reseal.store.protocol import Store
from reseal.wire import Request

_PATH = re.compile(rf"{API}/certificate/([^/?]+)(?:\?.*)?", re.DOTALL)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})", re.IGNORECASE)
LONGEST = 60.0
"""Seconds for which an answer is held back at most."""

_TICK = 0.25


class Waiting:
    """Who waits for which certificate, in one worker."""

    def __init__(self, store: Store, room: int) -> None:
        """Let nobody wait yet.

        Args:
            store: Where certificates appear.
            room: How many may wait at once.
        """
        self._store, self._room = store, room
        self._futures: dict[Certname, set[asyncio.Future[None]]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._ending = False

    async def wait(self, name: Certname, seconds: float) -> None:
        """Return when a name has a certificate, or after some seconds."""
        waiting = sum(map(len, self._futures.values()))
        if self._ending or waiting >= self._room:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(name, set()).add(future)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look())
        try:
            # What was signed after the caller looked, and before it began to wait.
            if not self._store.is_signed(name):
                await asyncio.wait_for(future, seconds)
        except TimeoutError:
            pass
        finally:
            self._futures.get(name, set()).discard(future)
            if not self._futures.get(name):
                self._futures.pop(name, None)

    def release(self) -> None:
        """Let everybody go, now and from now on."""
        self._ending = True
        for name in [*self._futures]:
            self._wake(name)

    async def _look(self) -> None:
        """Wake those whose certificates appear, until nobody waits."""
        seen: Hashable = None
        while self._futures:
            try:
                latest = self._store.latest()
            except StoreError:
                latest = None
            if latest != seen:
                seen = latest
                for name in [n for n in self._futures if self._store.is_signed(n)]:
                    self._wake(name)
            await asyncio.sleep(_TICK)

    def _wake(self, name: Certname) -> None:
        for each in self._futures.get(name, ()):
            if not each.done():
                each.set_result(None)


def wish(request: Request) -> tuple[Certname, float] | None:
    """Return whose certificate a request would wait for, and for how many seconds."""
    preferred = _WAIT.search(request.headers.get("prefer", ""))
    path = _PATH.fullmatch(request.path)
    if request.method != "GET" or preferred is None or path is None:
        return None
    try:
        name = Certname(unquote(path[1]))
    except InvalidCertname:
        return None
    return name, min(float(preferred[1]), LONGEST)
