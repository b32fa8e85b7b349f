"""Tasks that wait for tasks of their own pool: never a deadlock, even with one worker."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@pytest.mark.parametrize("timeout", [None, LIMIT])
def test_a_task_may_wait_for_a_result(
    pool: treadle.ThreadPoolExecutor, timeout: float | None
) -> None:
    def outer(number: int) -> int:
        return 2 * pool.submit(int, number).result(timeout)

    futures = [pool.submit(outer, number) for number in range(100)]
    assert [future.result(LIMIT) for future in futures] == [2 * number for number in range(100)]


def test_a_task_may_wait_for_an_exception(pool: treadle.ThreadPoolExecutor) -> None:
    error = ValueError("inner")

    def outer() -> Any:
        return pool.submit(throw, error).exception()

    assert pool.submit(outer).result(LIMIT) is error
    failed = pool.submit(lambda: pool.submit(throw, error).result())
    assert failed.exception(LIMIT) is error


@pytest.mark.parametrize("depth", [1, 2, 15, 16, 17, 50, 200])
def test_tasks_may_nest_deeply(pool: treadle.ThreadPoolExecutor, depth: int) -> None:
    def nest(left: int) -> int:
        return 0 if left == 0 else 1 + pool.submit(nest, left - 1).result()

    assert pool.submit(nest, depth).result(LIMIT) == depth


def test_tasks_may_nest_deeper_than_the_recursion_limit(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)
    depth = sys.getrecursionlimit() + 100

    def nest(left: int) -> int:
        return 0 if left == 0 else 1 + pool.submit(nest, left - 1).result()

    assert pool.submit(nest, depth).result(3 * LIMIT) == depth


def test_tasks_may_fork_and_join(pool: treadle.ThreadPoolExecutor) -> None:
    def fibonacci(number: int) -> int:
        if number < 2:
            return number
        first = pool.submit(fibonacci, number - 1)
        second = pool.submit(fibonacci, number - 2)
        return first.result() + second.result()

    assert pool.submit(fibonacci, 13).result(LIMIT) == 233


def test_many_waiting_tasks_at_once(pool: treadle.ThreadPoolExecutor) -> None:
    def outer(number: int) -> int:
        return sum(future.result() for future in [pool.submit(int, n) for n in range(number)])

    futures = [pool.submit(outer, number) for number in range(100)]
    assert [future.result(LIMIT) for future in futures] == [sum(range(n)) for n in range(100)]


def test_a_task_waits_for_work_queued_behind_other_work(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def outer() -> int:
        for number in range(10):
            pool.submit(ran.append, number)
        return pool.submit(len, ran).result()

    assert 0 <= pool.submit(outer).result(LIMIT) <= 10
    pool.shutdown()
    assert sorted(ran) == list(range(10))


def test_a_task_may_wait_for_a_task_that_another_has_submitted(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    futures: list[Any] = []
    first = pool.submit(lambda: futures[1].result())
    futures += [first, pool.submit(int, 5)]
    gate.open()
    assert first.result(LIMIT) == 5


def test_a_wait_of_a_task_may_run_out_of_time(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(2)

    def outer(future: Any) -> str:
        try:
            future.result(0.01)
        except concurrent.futures.TimeoutError:
            return "timeout"
        return "result"

    (running,) = occupy(pool, gate, 1)
    assert pool.submit(outer, running).result(LIMIT) == "timeout"
    assert pool.submit(outer, treadle.Future()).result(LIMIT) == "timeout"


def test_a_wait_of_a_task_for_a_cancelled_one_ends(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)

    def outer() -> Any:
        inner = pool.submit(int)
        assert inner.cancel()
        return inner.result()

    with pytest.raises(concurrent.futures.CancelledError):
        pool.submit(outer).result(LIMIT)


@pytest.mark.parametrize("method", ["map", "map_unordered"])
@pytest.mark.parametrize("buffersize", [None, 1, 3])
def test_a_task_may_map(
    pool: treadle.ThreadPoolExecutor, method: str, buffersize: int | None
) -> None:
    def outer(number: int) -> int:
        return sum(getattr(pool, method)(int, range(number), buffersize=buffersize))

    futures = [pool.submit(outer, number) for number in range(20)]
    assert [future.result(LIMIT) for future in futures] == [sum(range(n)) for n in range(20)]


def test_a_map_may_map(pool: treadle.ThreadPoolExecutor) -> None:
    def outer(number: int) -> int:
        return sum(pool.map(int, range(number)))

    assert list(pool.map(outer, range(30))) == [sum(range(number)) for number in range(30)]


def test_maps_may_nest_deeply(pool: treadle.ThreadPoolExecutor) -> None:
    def nest(left: int) -> int:
        return 0 if left == 0 else 1 + max(pool.map(nest, [left - 1]))

    assert nest(50) == 50


@pytest.mark.parametrize("module", [treadle, concurrent.futures], ids=["treadle", "std"])
def test_a_task_may_wait_for_several(pool: treadle.ThreadPoolExecutor, module: Any) -> None:
    def outer(number: int) -> int:
        futures = [pool.submit(int, n) for n in range(number)]
        assert module.wait(futures).not_done == set()
        return sum(future.result(0) for future in futures)

    futures = [pool.submit(outer, number) for number in range(20)]
    assert [future.result(LIMIT) for future in futures] == [sum(range(n)) for n in range(20)]


@pytest.mark.parametrize("module", [treadle, concurrent.futures], ids=["treadle", "std"])
def test_a_task_may_wait_for_the_first_of_several(
    pool: treadle.ThreadPoolExecutor, module: Any
) -> None:
    def outer() -> bool:
        futures = [pool.submit(int, n) for n in range(5)]
        done, not_done = module.wait(futures, LIMIT, module.FIRST_COMPLETED)
        return bool(done) and len(done | not_done) == 5

    futures = [pool.submit(outer) for _ in range(20)]
    assert all(future.result(LIMIT) for future in futures)


@pytest.mark.parametrize("module", [treadle, concurrent.futures], ids=["treadle", "std"])
def test_a_task_may_read_several_as_they_complete(
    pool: treadle.ThreadPoolExecutor, module: Any
) -> None:
    def outer(number: int) -> int:
        futures = [pool.submit(int, n) for n in range(number)]
        return sum(future.result(0) for future in module.as_completed(futures))

    futures = [pool.submit(outer, number) for number in range(20)]
    assert [future.result(LIMIT) for future in futures] == [sum(range(n)) for n in range(20)]


@pytest.mark.parametrize("module", [treadle, concurrent.futures], ids=["treadle", "std"])
def test_waits_for_several_may_nest(pool: treadle.ThreadPoolExecutor, module: Any) -> None:
    def nest(left: int) -> int:
        if left == 0:
            return 0
        future = pool.submit(nest, left - 1)
        assert module.wait([future]).done == {future}
        return 1 + future.result(0)

    assert pool.submit(nest, 30).result(LIMIT) == 30


def test_an_event_loop_in_a_task_may_await_tasks(pool: treadle.ThreadPoolExecutor) -> None:
    async def inner() -> int:
        return sum(await asyncio.gather(*(pool.submit(int, n) for n in range(10))))

    outer = make_other(pool)
    assert outer.submit(asyncio.run, inner()).result(LIMIT) == 45
    outer.shutdown()


def make_other(pool: treadle.ThreadPoolExecutor) -> treadle.ThreadPoolExecutor:
    """Another pool of the same size."""
    return treadle.ThreadPoolExecutor(pool._max_workers)


def test_a_task_may_wait_for_a_task_of_another_pool_that_waits_for_its_own(
    make_executor: Callable[..., Any], workers: int
) -> None:
    first, second = make_executor(workers), make_executor(workers)

    def in_second(number: int) -> int:
        return second.submit(int, number).result()

    def in_first(number: int) -> int:
        return second.submit(in_second, number).result()

    futures = [first.submit(in_first, number) for number in range(20)]
    assert [future.result(LIMIT) for future in futures] == list(range(20))


def test_waiting_tasks_leave_no_more_threads_than_there_may_be_workers(
    pool: treadle.ThreadPoolExecutor, workers: int
) -> None:
    def nest(left: int) -> int:
        return 0 if left == 0 else 1 + pool.submit(nest, left - 1).result()

    for _ in range(10):
        assert pool.submit(nest, 60).result(LIMIT) == 60
    together = threading.Barrier(workers, timeout=LIMIT)
    futures = [pool.submit(together.wait) for _ in range(2 * workers)]
    assert sorted(future.result(LIMIT) for future in futures) == sorted(2 * list(range(workers)))


def test_a_task_waits_during_shutdown(
    make_executor: Callable[..., Any], gate: Gate, workers: int
) -> None:
    pool = make_executor(workers)

    def outer() -> int:
        inner = pool.submit(int, 6)
        gate.wait()
        return inner.result()

    future = pool.submit(outer)
    gate.await_arrivals()
    pool.shutdown(wait=False)
    gate.open()
    assert future.result(LIMIT) == 6


def test_an_exception_in_a_helped_task_does_not_leak_into_the_waiting_one(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)

    def outer() -> Any:
        failing = pool.submit(throw, KeyError("helped"))
        fine = pool.submit(int, 3)
        assert fine.result() == 3
        assert sys.exc_info() == (None, None, None)
        return type(failing.exception())

    assert pool.submit(outer).result(LIMIT) is KeyError
