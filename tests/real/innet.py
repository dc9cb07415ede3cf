"""Coroutines of the library, run where they reach a site's hosts.

`lab run` starts programs in the site's network; a test that looks at values wants
the library itself.  A thread enters the network's namespace and runs an event loop
there; the rest of the process stays where it is.

Sources: setns(2) (it moves the calling thread alone); lab/README.md (namespaces).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from labsite import Site

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000


def inside(site: Site, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in the network of a site and return what it returns."""

    def thread() -> T:
        handle = os.open(f"/run/netns/{site.name}-control", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        return asyncio.run(work())

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(thread).result()
