"""What a pool keeps alive, and that it lets go of it before its workers rest."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.references import Thing, dies_uncollected, eventually_dead, no_collection
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor


class Task:
    """A callable that can be weakly referenced."""

    def __call__(self, *args: Any, **kwargs: Any) -> Thing:
        return Thing()


def test_a_worker_lets_go_of_the_task_before_it_rests(executor: ThreadPoolExecutor) -> None:
    with no_collection():
        function, argument, keyword = Task(), Thing(), Thing()
        references = [weakref.ref(one) for one in (function, argument, keyword)]
        future = executor.submit(function, argument, keyword=keyword)
        future.result(LIMIT)
        del function, argument, keyword
        for reference in references:
            assert dies_uncollected(reference)
        assert future.done()


def test_a_worker_lets_go_of_the_result_before_it_rests(executor: ThreadPoolExecutor) -> None:
    with no_collection():
        future = executor.submit(Thing)
        references = [weakref.ref(future.result(LIMIT)), weakref.ref(future)]
        del future
        for reference in references:
            assert dies_uncollected(reference)


def test_a_worker_lets_go_of_a_failure_before_it_rests(executor: ThreadPoolExecutor) -> None:
    class Failure(Exception):
        """An exception that can be weakly referenced."""

    def fail() -> None:
        raise Failure

    with no_collection():
        future = executor.submit(fail)
        reference = weakref.ref(future.exception(LIMIT))
        del future
        assert dies_uncollected(reference)


def test_a_future_nobody_kept_dies_after_its_task(executor: ThreadPoolExecutor) -> None:
    references: list[weakref.ref[Any]] = []
    ended = threading.Event()

    def note(future: Any) -> None:
        references.append(weakref.ref(future))
        references.append(weakref.ref(future.result()))
        ended.set()

    executor.submit(Thing).add_done_callback(note)
    assert ended.wait(LIMIT)
    assert all(eventually_dead(reference) for reference in references)


def test_a_cancelled_task_is_let_go_of(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    argument = Thing()
    reference = weakref.ref(argument)
    future = executor.submit(id, argument)
    del argument
    assert future.cancel()
    gate.open()
    assert eventually_dead(reference)
    assert future.cancelled()


def test_a_pool_shut_down_with_cancellation_keeps_no_arguments(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    arguments = [Thing() for _ in range(10)]
    references = [weakref.ref(argument) for argument in arguments]
    futures = [executor.submit(id, argument) for argument in arguments]
    arguments.clear()
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(eventually_dead(reference) for reference in references)
    assert all(future.cancelled() for future in futures)


def test_a_running_task_needs_no_reference_to_its_future(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    ended = threading.Event()
    executor.submit(lambda: (gate.wait(), ended.set()))
    gate.await_arrivals()
    gc.collect()
    gate.open()
    assert ended.wait(LIMIT)


def test_a_pool_without_work_is_freed_and_its_threads_end(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    pool = executor_type(workers)
    together = threading.Barrier(workers, timeout=LIMIT)
    for future in [pool.submit(together.wait) for _ in range(workers)]:
        future.result(LIMIT)
    threads = list(pool._threads)
    assert len(threads) == workers
    reference = weakref.ref(pool)
    del pool, future
    assert eventually_dead(reference)
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_the_work_of_a_freed_pool_still_runs(
    executor_type: type[ThreadPoolExecutor], gate: Gate, workers: int
) -> None:
    pool = executor_type(workers)
    occupy(pool, gate, workers)
    futures = [pool.submit(int, number) for number in range(50)]
    threads = list(pool._threads)
    reference = weakref.ref(pool)
    del pool
    assert eventually_dead(reference)
    gate.open()
    assert [future.result(LIMIT) for future in futures] == list(range(50))
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_a_pool_may_be_freed_by_its_own_worker(
    executor_type: type[ThreadPoolExecutor], gate: Gate
) -> None:
    holder = [executor_type(1)]
    thread_of_pool = holder[0].submit(threading.current_thread).result(LIMIT)

    def drop() -> None:
        gate.wait()
        holder.clear()
        gc.collect()

    future = holder[0].submit(drop)
    gate.open()
    assert future.result(LIMIT) is None
    thread_of_pool.join(LIMIT)
    assert not thread_of_pool.is_alive()


def test_a_pool_in_a_cycle_is_collected(
    executor_type: type[ThreadPoolExecutor],
) -> None:
    class Owner:
        """Owns a pool that holds its owner."""

        def __init__(self) -> None:
            self.pool = executor_type(1, initializer=self.initialize)
            self.pool.owner = self  # type: ignore[attr-defined]

        def initialize(self) -> None:
            pass

    reference = weakref.ref(Owner().pool)
    assert eventually_dead(reference)


def test_a_task_that_holds_its_pool_keeps_it(
    executor_type: type[ThreadPoolExecutor], gate: Gate
) -> None:
    pool = executor_type(1)
    future = pool.submit(lambda pool: gate.wait(pool.submit(int, 7)), pool)
    gate.await_arrivals()
    thread = next(iter(pool._threads))
    del pool
    gc.collect()
    gate.open()
    assert future.result(LIMIT).result(LIMIT) == 7
    del future
    gc.collect()
    assert eventually(lambda: not thread.is_alive())


def test_a_thread_s_reference_to_a_task_outlives_no_shutdown(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    pool = make_executor(workers)
    thing = Thing()
    reference = weakref.ref(thing)
    for _ in range(10):
        pool.submit(id, thing)
    pool.shutdown()
    del thing
    assert eventually_dead(reference)


def test_a_waiting_thread_keeps_no_ended_future(executor: ThreadPoolExecutor, gate: Gate) -> None:
    future = executor.submit(gate.wait)
    waiting = in_thread(future.result, LIMIT)
    gate.open()
    assert waiting.get() is None
    reference = weakref.ref(future)
    del waiting, future
    assert eventually_dead(reference)


@pytest.mark.parametrize("used", [False, True])
def test_what_a_freed_pool_was_made_with_is_let_go_of(
    executor_type: type[ThreadPoolExecutor], used: bool
) -> None:
    thing = Thing()
    reference = weakref.ref(thing)
    pool = executor_type(1, initializer=id, initargs=(thing,))
    if used:
        pool.submit(int).result(LIMIT)
    threads = list(pool._threads)
    del pool, thing
    for thread in threads:
        thread.join(LIMIT)
    assert eventually_dead(reference)
