"""What threads ask for at once is done in one go, and each gets its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from reseal.store.batching import Batch


def run(count: int, batch: Batch[int, int], work: object) -> list[object]:
    """Ask from many threads at once and return what each got."""
    found: list[object] = [None] * count
    begin = threading.Barrier(count)

    def ask(number: int) -> None:
        begin.wait()
        try:
            found[number] = batch.ask(number, work)  # type: ignore[arg-type]
        except ValueError as error:
            found[number] = str(error)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert not any(each.is_alive() for each in threads)
    return found


def test_alone_a_thread_does_its_own_at_once() -> None:
    batch = Batch[int, int]()
    assert [batch.ask(n, lambda items: [n * 2 for n in items]) for n in (1, 2)] == [
        2,
        4,
    ]


def test_those_that_wait_are_served_together_and_each_gets_its_result() -> None:
    sizes: list[int] = []
    at_once = threading.Lock()

    def work(items: Sequence[int]) -> Sequence[int]:
        assert at_once.acquire(blocking=False), "two work at the same time"
        sizes.append(len(items))
        time.sleep(0.02)
        at_once.release()
        return [item * 10 for item in items]

    assert run(30, Batch(), work) == [n * 10 for n in range(30)]
    assert sum(sizes) == 30
    assert len(sizes) < 10


def test_a_failure_is_everybodys_it_was_for_and_nobody_elses() -> None:
    calls: list[Sequence[int]] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        calls.append(items)
        time.sleep(0.02)
        if len(calls) == 2:
            raise ValueError("full")
        return items

    found = run(12, Batch(), work)
    failed = set(calls[1])
    assert failed
    assert found == ["full" if n in failed else n for n in range(12)]


def test_a_failure_leaves_no_one_waiting() -> None:
    batch = Batch[int, int]()

    def work(items: Sequence[int]) -> Sequence[int]:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            batch.ask(1, work)
    assert batch.ask(1, lambda items: items) == 1
