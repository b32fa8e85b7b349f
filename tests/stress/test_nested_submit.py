"""Tasks of many workers that submit to their own pool and wait, while everybody does the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from support.logs import LogRecorder

pytestmark = pytest.mark.ours

ROUNDS = 10


@pytest.mark.worker_counts(1, 2, 3, 4, 8)
def test_each_waiting_task_gets_its_own_result(executor: Any, workers: int) -> None:
    def outer(number: int) -> int:
        return sum(executor.submit(abs, -number).result() for _ in range(100))

    for _ in range(ROUNDS):
        futures = [executor.submit(outer, number) for number in range(max(1, workers - 1))]
        assert [future.result(LIMIT) for future in futures] == [
            100 * number for number in range(len(futures))
        ]


@pytest.mark.worker_counts(1, 2, 3, 4, 8)
def test_waits_with_a_limit_get_their_own_results(executor: Any, workers: int) -> None:
    def outer(number: int) -> int:
        return sum(executor.submit(abs, -number).result(LIMIT) for _ in range(100))

    for _ in range(ROUNDS):
        futures = [executor.submit(outer, number) for number in range(workers + 1)]
        assert [future.result(LIMIT) for future in futures] == [
            100 * number for number in range(workers + 1)
        ]


def test_waiting_tasks_race_with_cancellation(executor: Any) -> None:
    def outer(number: int) -> int:
        total = 0
        for _ in range(50):
            wanted, other = executor.submit(abs, -number), executor.submit(abs, -number)
            cancelled = other.cancel()
            total += wanted.result()
            assert cancelled == other.cancelled()
            assert cancelled or other.result() == number
        return total

    for _ in range(ROUNDS):
        futures = [executor.submit(outer, number) for number in range(8)]
        assert [future.result(LIMIT) for future in futures] == [50 * n for n in range(8)]


def test_each_future_runs_once_when_several_wait_for_it(executor: Any) -> None:
    for _ in range(ROUNDS):
        ran: list[int] = []
        shared = [executor.submit(ran.append, number) for number in range(100)]
        futures = [
            executor.submit(lambda: [future.result() for future in shared]) for _ in range(8)
        ]
        assert [future.result(LIMIT) for future in futures] == [[None] * 100] * 8
        assert sorted(ran) == list(range(100))


def test_a_future_that_runs_while_its_pool_breaks_keeps_its_own_result(
    make_executor: Callable[..., ThreadPoolExecutor], futures_log: LogRecorder
) -> None:
    """The second worker's initializer fails while the first one's task waits for an inner one."""
    inner_runs = threading.Event()
    numbers = iter(range(10))

    def initialize() -> None:
        if next(numbers) > 0:
            inner_runs.wait(LIMIT)
            int("this initializer fails")

    def inner() -> str:
        inner_runs.set()
        assert eventually(lambda: pool._broken)  # type: ignore[attr-defined]
        return "own result"

    def outer() -> str:
        return pool.submit(inner).result()

    pool = make_executor(2, initializer=initialize)
    assert pool.submit(outer).result(LIMIT) == "own result"
    pool.shutdown()
    assert futures_log.take_texts() == ["Exception in initializer:"]


@pytest.mark.worker_counts(1, 4)
def test_futures_that_run_while_their_pool_breaks_keep_their_own_results(
    make_executor: Callable[..., Any], workers: int, futures_log: LogRecorder
) -> None:
    """Many times, with the break at any moment."""
    for _ in range(20):
        numbers, ready = iter(range(100)), threading.Event()

        def initialize() -> None:
            if next(numbers) > 0:
                ready.wait(LIMIT)
                int("this initializer fails")

        def outer() -> list[Any]:
            ready.set()
            seen: list[Any] = []
            for _ in range(50):
                try:
                    seen.append(pool.submit(abs, -3).result())
                except RuntimeError as error:  # BrokenThreadPool is one
                    seen.append(type(error).__name__)
            return seen

        pool = make_executor(1 + workers, initializer=initialize)
        assert set(pool.submit(outer).result(LIMIT)) <= {3, "BrokenThreadPool"}
        pool.shutdown()
        assert set(futures_log.take_texts()) <= {"Exception in initializer:"}
