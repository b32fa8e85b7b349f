"""When tasks that waited have ended, a pool is of its size again, in tasks and in threads.

A task that waits is not counted; all others are.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.ours, pytest.mark.worker_counts(1, 2, 4)]


class Census:
    """How many tasks run at once at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.peak = 0
        self.ended = 0

    def task(self) -> None:
        """Runs long enough to be seen."""
        with self._lock:
            self._now += 1
            self.peak = max(self.peak, self._now)
        time.sleep(0.003)
        with self._lock:
            self._now -= 1
            self.ended += 1

    def forget(self) -> None:
        """Counts from now on."""
        with self._lock:
            self.peak = self._now


def peak_of(pool: Any, count: int = 30) -> int:
    """How many of many short tasks run at once at most."""
    census = Census()
    for future in [pool.submit(census.task) for _ in range(count)]:
        future.result(LIMIT)
    return census.peak


WAITS: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.result(),
    "result with a limit": lambda future: future.result(LIMIT),
    "wait": lambda future: treadle.wait([future]),
    "as_completed": lambda future: list(treadle.as_completed([future])),
    "standard wait": lambda future: concurrent.futures.wait([future]),
}

each_wait = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


@each_wait
@pytest.mark.parametrize("own", [False, True], ids=["of nobody", "of the pool"])
def test_surplus_workers_leave_though_tasks_are_queued_all_the_time(
    executor: Any, workers: int, wait: Callable[[Any], Any], own: bool, gate: Gate
) -> None:
    if own and workers == 1:
        pytest.skip("the task that is waited for would not begin")
    future: Any = occupy(executor, gate, 1)[0] if own else treadle.Future()
    census, begun = Census(), Gate()
    begun.open()
    waiting = [executor.submit(lambda: (begun.wait(), wait(future))) for _ in range(workers - own)]
    begun.await_arrivals(workers - own)
    queued = [executor.submit(census.task) for _ in range(60 * workers)]
    eventually(lambda: census.ended > 3 * workers, 0.3)  # in the place of those that wait, if any
    gate.open() if own else future.set_result(None)
    for one in waiting:
        one.result(LIMIT)
    ended = census.ended
    assert eventually(
        lambda: census.ended > ended + 4 * workers
    )  # each surplus worker ends its task
    census.forget()
    assert not queued[-2 * workers].done(), "there was no queue all the time"
    for one in queued:
        one.result(LIMIT)
    assert census.peak <= workers
    assert peak_of(executor) <= workers


@each_wait
def test_tasks_beside_a_waiting_one(
    executor: Any, workers: int, wait: Callable[[Any], Any]
) -> None:
    census = Census()

    def outer() -> None:
        for future in [executor.submit(census.task) for _ in range(12)]:
            wait(future)

    executor.submit(outer).result(LIMIT)
    assert 0 < census.peak <= workers


def test_after_waits_in_a_map(executor: Any, workers: int) -> None:
    def outer(_: Any) -> None:
        concurrent.futures.wait([executor.submit(time.sleep, 0.001)])
        treadle.wait([executor.submit(time.sleep, 0.001)])

    list(executor.map(outer, range(2 * workers)))
    assert peak_of(executor) <= workers


@each_wait
def test_the_threads_of_a_pool_do_not_pile_up(
    executor: Any, workers: int, wait: Callable[[Any], Any]
) -> None:
    def outer() -> None:
        for future in [executor.submit(int) for _ in range(4)]:
            wait(future)

    for _ in range(100):
        executor.submit(outer).result(LIMIT)
    assert len(executor._threads) <= workers + 4
    assert peak_of(executor) <= workers


def test_the_threads_of_a_pool_do_not_pile_up_when_tasks_wait_for_several(
    executor: Any, workers: int
) -> None:
    def outer() -> None:
        treadle.wait([executor.submit(int) for _ in range(4)])

    for _ in range(100):
        executor.submit(outer).result(LIMIT)
    assert len(executor._threads) <= workers + 4
    assert sum(thread.is_alive() for thread in list(executor._threads)) <= workers + 4
