"""What several threads ask for at the same time, done in one go.

A lock that is held, and a disk that is waited for, once for each of them would make
them queue.  The first to come works for all that are waiting by then; alone, a thread
does its own at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False)
class _Job(Generic[T, R]):
    """One thread's item, and what becomes of it."""

    item: T
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    results: list[R] = field(default_factory=list)
    error: BaseException | None = None


class Batch(Generic[T, R]):
    """Gathers items of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Job[T, R]] = []
        self._busy = False

    def ask(self, item: T, work: Callable[[Sequence[T]], Sequence[R]]) -> R:
        """Have an item worked on, with those of other threads, and return its result.

        Args:
            item: What this thread wants done.
            work: Does it for several; results in the order of the items.  The same
                for every call.  What it raises is raised in every thread it worked
                for.
        """
        job: _Job[T, R] = _Job(item)
        with self._lock:
            self._waiting.append(job)
            job.leads, self._busy = not self._busy, True
        if not job.leads:
            job.woken.wait()
        if job.leads:
            self._lead(work)
        if job.error is not None:
            raise job.error
        return job.results[0]

    def _lead(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        """Work for all that are waiting, then let the next one lead."""
        with self._lock:
            jobs, self._waiting = self._waiting, []
        try:
            results = work([job.item for job in jobs])
            for job, result in zip(jobs, results, strict=True):
                job.results.append(result)
        except BaseException as error:
            for job in jobs:
                job.error = error
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._busy = following is not None
            if following is not None:
                following.leads = True
        for job in jobs:
            job.woken.set()
        if following is not None:
            following.woken.set()
