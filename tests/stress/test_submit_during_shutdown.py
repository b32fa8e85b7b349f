"""Submitting races with shutdown: what is accepted ends, what is refused never runs."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

ROUNDS = 25
PRODUCERS = 4


def produce(
    pool: ThreadPoolExecutor, start: threading.Barrier, ran: list[object]
) -> list[tuple[object, Future[Any]]]:
    """Submits until it is refused; gives what was accepted."""
    accepted: list[tuple[object, Future[Any]]] = []
    start.wait()
    while True:
        mark = object()
        if len(accepted) > 1000:
            time.sleep(0.0001)  # the race is at the end, not in the length of the queue
        try:
            accepted.append((mark, pool.submit(ran.append, mark)))
        except RuntimeError as error:
            assert str(error) == "cannot schedule new futures after shutdown"
            return accepted


@pytest.mark.parametrize("cancel", [False, True], ids=["run-the-rest", "cancel-the-rest"])
@pytest.mark.parametrize("wait", [True, False], ids=["wait", "no-wait"])
def test_every_accepted_task_ends_and_no_refused_one_runs(
    executor_type: type[ThreadPoolExecutor], workers: int, wait: bool, cancel: bool
) -> None:
    for _ in range(ROUNDS):
        pool = executor_type(workers)
        start = threading.Barrier(PRODUCERS + 1, timeout=LIMIT)
        ran: list[object] = []
        producers = [in_thread(produce, pool, start, ran) for _ in range(PRODUCERS)]
        start.wait()
        assert pool.submit(int).result(LIMIT) == 0
        pool.shutdown(wait=wait, cancel_futures=cancel)
        accepted = [pair for producer in producers for pair in producer.get()]
        pool.shutdown()
        assert all(future.done() for _, future in accepted)
        expected = {mark for mark, future in accepted if not future.cancelled()}
        assert len(ran) == len(set(ran))
        assert set(ran) == expected
        if not cancel:
            assert len(ran) == len(accepted)


@pytest.mark.ours  # the standard library tells nobody of futures cancelled by shutdown
def test_everyone_who_waits_hears_of_the_cancellation(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    for _ in range(ROUNDS):
        pool = executor_type(workers)
        start = threading.Barrier(PRODUCERS + 1, timeout=LIMIT)
        producers = [in_thread(produce, pool, start, []) for _ in range(PRODUCERS)]
        start.wait()
        pool.shutdown(wait=False, cancel_futures=True)
        futures = [future for producer in producers for _, future in producer.get()]
        assert concurrent.futures.wait(futures, LIMIT).not_done == set()
        pool.shutdown()


def test_shutdown_races_with_shutdown(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    for _ in range(ROUNDS):
        pool = executor_type(workers)
        futures = [pool.submit(int, number) for number in range(50)]
        start = threading.Barrier(PRODUCERS, timeout=LIMIT)

        def shut_down(
            wait: bool, pool: ThreadPoolExecutor = pool, start: threading.Barrier = start
        ) -> None:
            start.wait()
            pool.shutdown(wait)

        downs = [in_thread(shut_down, number % 2 == 0) for number in range(PRODUCERS)]
        for down in downs:
            down.get()
        assert [future.result(LIMIT) for future in futures] == list(range(50))
        assert not any(thread.is_alive() for thread in pool._threads)


@pytest.mark.ours
def test_map_and_submit_many_race_with_shutdown(executor_type: type[Any], workers: int) -> None:
    def submit_many(pool: Any) -> list[Any]:
        return [future.result(LIMIT) for future in pool.submit_many(int, range(20))]

    def map_in_order(pool: Any) -> list[Any]:
        return list(pool.map(int, range(20)))

    def map_as_they_come(pool: Any) -> list[Any]:
        return sorted(pool.map_unordered(int, range(20)))

    def repeat(call: Callable[[Any], list[Any]], pool: Any, start: threading.Barrier) -> None:
        start.wait()
        with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
            repeat_for_ever(call, pool)

    def repeat_for_ever(call: Callable[[Any], list[Any]], pool: Any) -> None:
        while True:
            assert call(pool) == list(range(20))

    for _ in range(ROUNDS):
        pool = executor_type(workers)
        start = threading.Barrier(4, timeout=LIMIT)
        threads = [
            in_thread(repeat, call, pool, start)
            for call in (submit_many, map_in_order, map_as_they_come)
        ]
        start.wait()
        assert submit_many(pool) == list(range(20))
        pool.shutdown()
        for thread in threads:
            thread.get()


def test_pools_come_and_go_quickly(executor_type: type[ThreadPoolExecutor], workers: int) -> None:
    for number in range(100):
        with executor_type(workers) as pool:
            futures = [pool.submit(int, number) for _ in range(workers)]
        assert [future.result(0) for future in futures] == [number] * workers


def test_dropped_pools_run_what_they_have(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    futures = []
    for _ in range(100):
        pool = executor_type(workers)
        futures += [pool.submit(int, number) for number in range(10)]
        del pool
    assert [future.result(LIMIT) for future in futures] == 100 * list(range(10))
