"""Many threads submit, wait and read at once: each task runs once, each result reaches everyone."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, eventually, in_thread, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.libraries import Library

PRODUCERS = 8


def test_every_task_of_every_producer_runs_once(executor: ThreadPoolExecutor) -> None:
    ran: list[int] = []

    def produce(first: int) -> None:
        numbers = range(first, first + 1000)
        futures = [executor.submit(ran.append, number) for number in numbers]
        for future in futures:
            assert future.result(LIMIT) is None

    for producer in [in_thread(produce, 1000 * number) for number in range(PRODUCERS)]:
        producer.get()
    assert sorted(ran) == list(range(1000 * PRODUCERS))


def test_producers_take_turns_with_their_results(executor: ThreadPoolExecutor) -> None:
    def produce(first: int) -> int:
        return sum(executor.submit(int, first + number).result(LIMIT) for number in range(300))

    producers = [in_thread(produce, number) for number in range(PRODUCERS)]
    assert [producer.get() for producer in producers] == [
        sum(range(number, number + 300)) for number in range(PRODUCERS)
    ]


def test_producers_map_at_once(executor: ThreadPoolExecutor) -> None:
    def produce() -> list[int]:
        return list(executor.map(int, range(500)))

    for producer in [in_thread(produce) for _ in range(PRODUCERS)]:
        assert producer.get() == list(range(500))


def test_tasks_are_produced_by_tasks(executor: ThreadPoolExecutor) -> None:
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    def task(left: int) -> None:
        if left == 0:
            ended.put(1)
        else:
            executor.submit(task, left - 1)
            executor.submit(task, left - 1)

    executor.submit(task, 10)
    assert sum(ended.get(timeout=LIMIT) for _ in range(2**10)) == 2**10


def test_many_threads_wait_for_the_same_future(
    library: Library, executor: ThreadPoolExecutor
) -> None:
    for number in range(50):
        gate = Gate()
        future: Future[int] = executor.submit(gate.wait, number)
        waits: list[Callable[[Future[int]], Any]] = [
            lambda future: future.result(LIMIT),
            lambda future: future.result(),
            lambda future: (future.exception(LIMIT), future.result(0))[1],
            lambda future: library.wait([future]).done.pop().result(),
            lambda future: next(iter(library.as_completed([future]))).result(),
            lambda future: next(iter(library.as_completed([future], LIMIT))).result(),
            lambda future: library.wait([future], LIMIT, "FIRST_COMPLETED").done.pop().result(),
            lambda future: eventually(future.done) and future.result(0),
        ]
        threads = [in_thread(wait, future) for wait in waits]
        gate.open()
        assert [thread.get() for thread in threads] == [number] * len(waits)


def test_futures_are_read_by_other_threads_than_their_submitters(
    executor: ThreadPoolExecutor,
) -> None:
    futures: queue.SimpleQueue[Future[int] | None] = queue.SimpleQueue()

    def read() -> list[int]:
        results = []
        while (future := futures.get(timeout=LIMIT)) is not None:
            results.append(future.result(LIMIT))
        return results

    readers = [in_thread(read) for _ in range(4)]
    for number in range(4000):
        futures.put(executor.submit(int, number))
    for _ in readers:
        futures.put(None)
    assert sorted(itertools.chain(*(reader.get() for reader in readers))) == list(range(4000))


def test_exceptions_come_from_everywhere(executor: ThreadPoolExecutor) -> None:
    def produce(first: int) -> None:
        errors = [ValueError(number) for number in range(first, first + 300)]
        futures = [executor.submit(throw, error) for error in errors]
        for future, error in zip(futures, errors, strict=True):
            if error.args[0] % 2:
                assert future.exception(LIMIT) is error
            else:
                with pytest.raises(ValueError, match=f"^{error.args[0]}$"):
                    future.result(LIMIT)

    for producer in [in_thread(produce, 300 * number) for number in range(4)]:
        producer.get()
    assert executor.submit(int).result(LIMIT) == 0


def test_pools_of_several_producers_feed_each_other(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    first, second = make_executor(workers), make_executor(workers)
    ended = threading.Semaphore(0)

    def bounce(left: int, here: ThreadPoolExecutor, there: ThreadPoolExecutor) -> None:
        if left:
            there.submit(bounce, left - 1, there, here)
        else:
            ended.release()

    for _ in range(20):
        first.submit(bounce, 200, first, second)
    for _ in range(20):
        assert ended.acquire(timeout=LIMIT)
