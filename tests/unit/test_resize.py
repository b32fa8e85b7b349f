"""`resize`: a pool's size changes while it works, and nothing that was submitted is lost."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.processes import run_python
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

IMPORTS = "import threading, treadle\n"


def thread_count(pool: Any) -> int:
    """How many threads there are, as its users and its native half see it; they agree at rest."""
    return max(len(pool._threads), pool._thread_count())


def test_growing_starts_threads_for_calls_that_wait(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    running = occupy(pool, gate, 1)
    together = threading.Barrier(3, timeout=LIMIT)
    waiting = [pool.submit(together.wait) for _ in range(3)]
    pool.resize(4)
    assert sorted(future.result(LIMIT) for future in waiting) == [0, 1, 2]
    assert pool._max_workers == 4
    gate.open()
    running[0].result(LIMIT)


def test_growing_starts_no_thread_without_need(executor: Any, workers: int) -> None:
    executor.resize(workers + 4)
    assert thread_count(executor) == 0
    assert executor.submit(int, 7).result(LIMIT) == 7
    assert thread_count(executor) == 1


def test_busy_workers_leave_after_their_call(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(4)
    running = occupy(pool, gate, 4)
    pool.resize(1)
    assert pool._max_workers == 1
    assert thread_count(pool) == 4
    queued = pool.submit_many(str, range(20))
    gate.open()
    assert [future.result(LIMIT) for future in queued] == [str(number) for number in range(20)]
    assert all(future.result(LIMIT) is None for future in running)
    assert eventually(lambda: thread_count(pool) == 1)


def test_idle_workers_leave_at_once(
    make_executor: Callable[..., Any], gate: Gate, workers: int
) -> None:
    pool = make_executor(workers + 3)
    occupy(pool, gate, workers + 3)
    gate.open()
    assert eventually(lambda: pool._idle_workers() == workers + 3)
    pool.resize(workers)
    assert eventually(lambda: thread_count(pool) == workers)
    assert pool.submit(int, 7).result(LIMIT) == 7


def test_those_that_slept_longest_leave_first(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(4)
    gates = [Gate() for _ in range(4)]
    running = [
        pool.submit(lambda gate=gate: gate.wait(threading.current_thread())) for gate in gates
    ]
    for gate in gates:
        gate.await_arrivals()
    threads = []
    for idle, number in enumerate((2, 0, 3, 1), 1):
        gates[number].open()
        threads.append(running[number].result(LIMIT))
        assert eventually(lambda idle=idle: pool._idle_workers() == idle)
    pool.resize(2)
    assert eventually(lambda: pool._threads == set(threads[2:]))


def test_a_pool_that_grows_back_keeps_its_busy_workers(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(3)
    running = occupy(pool, gate, 3)
    before = set(pool._threads)
    pool.resize(1)
    pool.resize(3)
    gate.open()
    for future in running:
        future.result(LIMIT)
    assert eventually(lambda: pool._idle_workers() == 3)
    assert pool._threads == before


def test_new_workers_are_initialized_and_numbered_on(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    initialized: list[str] = []
    pool = make_executor(2, initializer=lambda: initialized.append(threading.current_thread().name))
    occupy(pool, gate, 2)
    pool.resize(5)
    occupy(pool, gate, 3)
    assert sorted(initialized) == [f"{pool._thread_name_prefix}_{number}" for number in range(5)]
    assert sorted(thread.name for thread in pool._threads) == sorted(initialized)


def test_a_call_may_resize_its_own_pool(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    together = threading.Barrier(4, timeout=LIMIT)

    def grow_and_meet() -> int:
        others = pool.submit_many(lambda _: together.wait(), range(3))
        pool.resize(4)
        together.wait()
        for other in others:
            other.result(LIMIT)
        pool.resize(1)
        return pool._max_workers

    assert pool.submit(grow_and_meet).result(LIMIT) == 1
    assert eventually(lambda: thread_count(pool) == 1)


def test_a_call_that_waits_does_not_count(make_executor: Callable[..., Any], gate: Gate) -> None:
    """A worker that waits for a call of its pool is replaced, at the pool's new size, too."""
    pool = make_executor(3)
    (inner,) = occupy(pool, gate, 1)
    begun = Gate()
    begun.open()
    outer = pool.submit(lambda: (begun.wait(), inner.result())[1])
    begun.await_arrivals()
    pool.resize(1)
    gate.open()
    assert outer.result(LIMIT) is None
    assert pool.submit(int, 3).result(LIMIT) == 3
    assert eventually(lambda: thread_count(pool) == 1)


def test_two_threads_resize_at_once(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(2)
    start = threading.Barrier(3, timeout=LIMIT)

    def resize(sizes: list[int]) -> None:
        start.wait()
        for size in sizes * 50:
            pool.resize(size)

    resizing = [in_thread(resize, [1, 4, 2]), in_thread(resize, [8, 3])]
    start.wait()
    futures = [pool.submit(int, number) for number in range(2000)]
    assert [future.result(LIMIT) for future in futures] == list(range(2000))
    for one in resizing:
        one.get()
    assert pool._max_workers in (2, 3)
    pool.resize(1)
    assert eventually(lambda: thread_count(pool) == 1)


def test_a_resize_that_races_with_shutdown_is_refused_or_done(
    make_executor: Callable[..., Any],
) -> None:
    for _ in range(30):
        pool = make_executor(2)
        futures = [pool.submit(int, number) for number in range(50)]
        start = threading.Barrier(2, timeout=LIMIT)

        def resize(pool: Any = pool, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                for size in range(1, 20):
                    pool.resize(size)
            except RuntimeError as error:
                return str(error) == "cannot resize after shutdown"
            return True

        resizing = in_thread(resize)
        start.wait()
        pool.shutdown(wait=True)
        assert [future.result(LIMIT) for future in futures] == list(range(50))
        assert resizing.get()
        assert not any(thread.is_alive() for thread in pool._threads)


def test_shutdown_waits_for_those_that_are_leaving(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    """A worker of a pool that shrank is in its last call, or beyond it."""
    pool = make_executor(3)
    futures = occupy(pool, gate, 3)
    threads = set(pool._threads)
    pool.resize(1)
    shutting = in_thread(pool.shutdown)
    gate.open()
    shutting.get()
    assert all(future.done() for future in futures)
    assert not any(thread.is_alive() for thread in threads)


def test_no_size_after_shutdown(executor: Any, workers: int) -> None:
    executor.shutdown()
    with pytest.raises(RuntimeError, match=r"^cannot resize after shutdown$"):
        executor.resize(workers + 1)
    executor._max_workers = workers + 1
    assert executor._max_workers == workers


@pytest.mark.parametrize(
    ("size", "error"),
    [(0, ValueError), (-3, ValueError), (1.5, TypeError), ("2", TypeError), (None, TypeError)],
)
def test_wrong_sizes_are_refused(
    executor: Any, workers: int, size: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"^max_workers must be a positive integer, "):
        executor.resize(size)
    with pytest.raises(TypeError, match=r"^max_workers must be a positive integer, not True$"):
        executor.resize(True)
    assert executor._max_workers == workers


@pytest.mark.parametrize("size", [sys.maxsize, sys.maxsize + 1, 1 << 70, 10**400])
def test_a_size_beyond_all_memory_is_any(make_executor: Any, size: int) -> None:
    for pool in (make_executor(1), make_executor(size)):
        pool.resize(size)
        assert pool._max_workers == sys.maxsize
        assert pool.submit(pow, 2, 3).result(LIMIT) == 8
        assert list(pool.map(abs, [-1])) == [1]
        pool.resize(1)


def test_the_sizes_that_numpy_gives_are_integers(executor: Any) -> None:
    class Integer:
        def __index__(self) -> int:
            return 5

    executor.resize(Integer())
    assert executor._max_workers == 5


def test_assigning_to_the_standard_attribute_resizes(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    waiting = pool.submit(int, 4)
    pool._max_workers += 1
    assert waiting.result(LIMIT) == 4
    with pytest.raises(AttributeError):
        del pool._max_workers


def test_a_broken_pool_has_a_last_size(make_executor: Callable[..., Any], futures_log: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    pool = make_executor(1, initializer=fail)
    with pytest.raises(treadle.BrokenThreadPool):
        pool.submit(int).result(LIMIT)
    with pytest.raises(treadle.BrokenThreadPool):
        pool.resize(2)
    assert len(futures_log.take_texts()) == 1


@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_a_map_that_runs_grows_with_its_pool(
    make_executor: Callable[..., Any], method: str
) -> None:
    pool = make_executor(1)
    alone, together = Gate(), threading.Barrier(4, timeout=LIMIT)

    def meet(number: int) -> int:
        if number == 0:
            alone.wait()
        together.wait()
        return number

    results = getattr(pool, method)(meet, range(8))
    alone.await_arrivals()
    pool.resize(4)
    alone.open()
    assert sorted(results) == list(range(8))
    assert thread_count(pool) == 4


def test_a_map_that_runs_shrinks_with_its_pool(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(4)
    lock, size = threading.Lock(), 4
    running, ahead = set(), Gate()

    def count(number: int) -> bool:
        with lock:
            running.add(threading.current_thread())
        if number < 4:
            ahead.wait()  # all four take part
        if number < 5:
            return True
        # Those that are too many have left when their first item ended, or leave now.
        return eventually(lambda: pool._thread_count() <= size)

    results = pool.map(count, range(60))
    ahead.await_arrivals(4)
    assert len(running) == 4
    size = 2
    pool.resize(size)
    ahead.open()
    assert all(results)
    assert eventually(lambda: thread_count(pool) == 2)


def test_the_last_worker_of_a_map_goes_on_though_it_is_one_too_many(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(3)
    occupy(pool, gate, 2)  # they keep the places that are left
    first = Gate()
    results = pool.map(lambda number: first.wait(number) if number == 0 else number, range(50))
    first.await_arrivals()
    pool.resize(1)
    first.open()
    assert list(results) == list(range(50))
    gate.open()
    assert eventually(lambda: thread_count(pool) == 1)


def test_a_map_goes_on_in_a_pool_that_shrinks(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(4)
    results = pool.map(lambda number: (pool.resize(1 + number % 4), number)[1], range(200))
    assert list(results) == list(range(200))
    pool.resize(1)
    assert eventually(lambda: thread_count(pool) == 1)


@pytest.mark.slow
def test_ten_thousand_leaves_leave_nothing_behind(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
    together = threading.Barrier(33, timeout=LIMIT)
    for _ in range(313):
        pool.resize(33)
        for future in pool.submit_many(lambda _: together.wait(), range(33)):
            future.result(LIMIT)
        threads.update(pool._threads)
        pool.resize(1)
        assert eventually(lambda: thread_count(pool) == 1)
    assert len(pool._leaving) <= 32
    gc.collect()
    assert len(threads) <= 33


def test_a_forked_child_has_the_new_size() -> None:
    script = """
import os
pool = treadle.ThreadPoolExecutor(1)
pool.submit(int).result()
pool.resize(3)
child = os.fork()
if child == 0:
    together = threading.Barrier(3, timeout=20)
    done = sorted(f.result(20) for f in pool.submit_many(lambda _: together.wait(), range(3)))
    pool.resize(2)
    pool.shutdown()
    os._exit(0 if done == [0, 1, 2] and pool._max_workers == 2 else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run_python(IMPORTS, script) == "0\n"


def test_nothing_is_printed_when_the_programme_ends_meanwhile() -> None:
    script = """
pool = treadle.ThreadPoolExecutor(8)
together = threading.Barrier(8, timeout=20)
for future in pool.submit_many(lambda _: together.wait(), range(8)):
    future.result()
pool.resize(2)
print("end")
"""
    assert run_python(IMPORTS, script) == "end\n"
