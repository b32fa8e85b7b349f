"""`iterate`: a generator in a worker, read with `for` and `async for`, batched and bounded."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually, in_thread, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.ours

each_size = pytest.mark.parametrize("buffersize", [1, 2, 7, 64])
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def count(stop: int) -> Iterator[int]:
    yield from range(stop)


def read(iteration: Any) -> list[Any]:
    return list(iteration)


def read_async(iteration: Any) -> list[Any]:
    async def main() -> list[Any]:
        return [item async for item in iteration]

    return asyncio.run(main())


each_reader = pytest.mark.parametrize("read", [read, read_async])


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@each_reader
@each_size
def test_all_items_come_in_order(
    pool: treadle.ThreadPoolExecutor, read: Callable[..., list[Any]], buffersize: int
) -> None:
    assert read(pool.iterate(count, 1000, buffersize=buffersize)) == list(range(1000))
    assert read(pool.iterate(count, 0, buffersize=buffersize)) == []


@each_reader
def test_nested_generators_and_plain_iterables_do(
    pool: treadle.ThreadPoolExecutor, read: Callable[..., list[Any]]
) -> None:
    def nested(depth: int, *, leaf: str) -> Iterator[str]:
        if depth:
            yield from nested(depth - 1, leaf=leaf)
        yield leaf * depth

    assert read(pool.iterate(nested, 3, leaf="x")) == ["", "x", "xx", "xxx"]
    assert read(pool.iterate(range, 2, 5)) == [2, 3, 4]


@each_reader
def test_an_exception_comes_after_the_items_before_it(
    pool: treadle.ThreadPoolExecutor, read: Callable[..., list[Any]]
) -> None:
    got: list[int] = []

    def failing() -> Iterator[int]:
        yield from range(100)
        throw(LookupError("at the end"))

    def collecting() -> Any:
        iteration = pool.iterate(failing, buffersize=8)
        if read is read_async:

            async def main() -> None:
                async for item in iteration:
                    got.append(item)  # noqa: PERF401  # what came before the exception counts

            asyncio.run(main())
        else:
            got.extend(iteration)

    with pytest.raises(LookupError, match="at the end"):
        collecting()
    assert got in (list(range(100)), [])  # a list that fails to extend may have taken nothing


def test_after_its_exception_an_iteration_is_over(pool: treadle.ThreadPoolExecutor) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise LookupError

    iteration = pool.iterate(failing)
    assert next(iteration) == 1
    with pytest.raises(LookupError):
        next(iteration)
    assert next(iteration, "end") == "end"


@each_size
def test_the_generator_is_never_further_ahead_than_allowed(
    pool: treadle.ThreadPoolExecutor, buffersize: int
) -> None:
    produced = 0

    def counting() -> Iterator[int]:
        nonlocal produced
        while True:
            produced += 1
            yield produced

    iteration = pool.iterate(counting, buffersize=buffersize)
    for handed in range(3 * buffersize):
        assert eventually(lambda: produced >= handed + buffersize // 2 or handed == 0)
        assert produced <= handed + buffersize
        next(iteration)
    assert eventually(lambda: produced >= 3 * buffersize)
    iteration.close()


@each_reader
def test_an_item_comes_at_once_when_the_reader_waits(
    pool: treadle.ThreadPoolExecutor, gate: Gate, read: Callable[..., list[Any]]
) -> None:
    def one_then_wait() -> Iterator[str]:
        yield "first"
        gate.wait()
        yield "second"

    iteration = pool.iterate(one_then_wait)

    async def first() -> Any:
        return await iteration.__anext__()

    # The generator goes on only when this has arrived.
    assert (next(iteration) if read is not read_async else asyncio.run(first())) == "first"
    gate.open()
    assert read(iteration) == ["second"]


def test_everything_runs_in_one_worker(pool: treadle.ThreadPoolExecutor) -> None:
    def where() -> Iterator[int]:
        for _ in range(200):
            yield threading.get_ident()

    threads = set(pool.iterate(where, buffersize=3))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_generator_sees_the_context_of_the_caller(pool: treadle.ThreadPoolExecutor) -> None:
    def seen() -> Iterator[str]:
        yield variable.get()

    context = contextvars.copy_context()
    context.run(variable.set, "seen")
    assert list(context.run(pool.iterate, seen)) == ["seen"]
    assert list(pool.iterate(seen)) == ["unset"]


def test_a_task_of_the_same_pool_may_read(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    assert pool.submit(lambda: list(pool.iterate(count, 300))).result(LIMIT) == list(range(300))


def test_a_waiting_producer_burns_no_time(pool: treadle.ThreadPoolExecutor) -> None:
    used: list[float] = []

    def generator() -> Iterator[int]:
        yield 0
        before = time.thread_time()
        yield 1
        used.append(time.thread_time() - before)

    iteration = pool.iterate(generator, buffersize=2)
    assert next(iteration) == 0
    time.sleep(0.05)
    assert list(iteration) == [1]
    assert used[0] < 0.04


def test_two_readers_at_once_get_a_clear_error(
    pool: treadle.ThreadPoolExecutor, gate: Gate
) -> None:
    def waiting() -> Iterator[int]:
        gate.wait()
        yield 1

    iteration = pool.iterate(waiting)
    first = in_thread(lambda: next(iteration))
    gate.await_arrivals()
    assert eventually(lambda: iteration._belt.filled._waiting is not None)
    with pytest.raises(RuntimeError, match="is reading this already"):
        next(iteration)
    gate.open()
    assert first.get() == 1


async def coroutine_function() -> None: ...


async def async_generator_function() -> Any:
    yield 1


def test_what_cannot_be_iterated_is_refused_at_once(pool: treadle.ThreadPoolExecutor) -> None:
    with pytest.raises(TypeError, match="is a coroutine function: await its call itself"):
        pool.iterate(coroutine_function)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is an async generator function: read it with 'async for'"):
        pool.iterate(async_generator_function)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs a callable, not 'list'"):
        pool.iterate([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="buffersize must be a positive integer, not 0"):
        pool.iterate(count, 1, buffersize=0)
    with pytest.raises(TypeError, match="buffersize must be a positive integer, not None"):
        pool.iterate(count, 1, buffersize=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        list(pool.iterate(int))  # type: ignore[arg-type]


def test_a_call_cannot_end_the_loop_of_the_reader(pool: treadle.ThreadPoolExecutor) -> None:
    def stops() -> Iterator[int]:
        raise StopIteration

    with pytest.raises(RuntimeError):
        list(pool.iterate(stops))


def test_a_pool_that_is_down_takes_nothing(pool: treadle.ThreadPoolExecutor) -> None:
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.iterate(count, 1)
