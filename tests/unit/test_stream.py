"""`stream` read with `for`: order, bounds, errors at their items, and what is refused."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.streams import AsyncSource, Source
from support.waiting import Gate, in_thread, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.ours

each_order = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as-completed"])
each_concurrency = pytest.mark.parametrize("concurrency", [None, 1, 3, 1000])


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@each_order
@each_concurrency
def test_every_result_comes_once(
    pool: treadle.ThreadPoolExecutor, concurrency: int | None, ordered: bool
) -> None:
    results = list(pool.stream(str, range(500), concurrency=concurrency, ordered=ordered))
    if not ordered:
        results.sort(key=int)
    assert results == [str(number) for number in range(500)]
    assert list(pool.stream(str, [], concurrency=concurrency, ordered=ordered)) == []


def test_nothing_is_taken_before_the_first_read(pool: treadle.ThreadPoolExecutor) -> None:
    source = Source(range(10))
    stream = pool.stream(int, source)
    assert source.taken == 0
    assert next(stream) == 0


@each_order
@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_no_more_items_are_in_flight_than_allowed(
    pool: treadle.ThreadPoolExecutor, concurrency: int, ordered: bool
) -> None:
    source = Source(itertools.count())
    stream = pool.stream(int, source, concurrency=concurrency, ordered=ordered)
    for handed in range(200):
        next(stream)
        assert source.taken <= handed + concurrency


def test_the_default_is_bounded_too(pool: treadle.ThreadPoolExecutor, workers: int) -> None:
    source = Source(itertools.count())
    stream = pool.stream(int, source)
    for handed in range(200):
        next(stream)
        assert source.taken <= handed + workers + 64


@pytest.mark.worker_counts(2)
def test_as_completed_gives_the_first_to_end_first(
    pool: treadle.ThreadPoolExecutor, gate: Gate
) -> None:
    def task(number: int) -> int:
        return gate.wait(0) if number == 0 else number

    stream = pool.stream(task, range(3), ordered=False)
    assert [next(stream), next(stream)] == [1, 2]
    gate.open()
    assert list(stream) == [0]


@pytest.mark.worker_counts(2, 8)
def test_in_order_the_first_item_comes_first(pool: treadle.ThreadPoolExecutor, gate: Gate) -> None:
    def task(number: int) -> int:
        if number == 0:
            return gate.wait(0)
        gate.open()
        return number

    assert list(pool.stream(task, range(5))) == list(range(5))


def test_the_source_is_advanced_by_the_reader(pool: treadle.ThreadPoolExecutor) -> None:
    source = Source(range(30))
    ran = in_thread(lambda: list(pool.stream(int, source)))
    assert ran.get() == list(range(30))
    assert source.threads == {ran.thread.ident}


@each_concurrency
def test_an_exception_is_raised_at_its_item_and_ends_the_stream(
    pool: treadle.ThreadPoolExecutor, concurrency: int | None
) -> None:
    stream = pool.stream(lambda number: 1 // number, [1, -1, 0, 1, 1], concurrency=concurrency)
    assert [next(stream), next(stream)] == [1, -1]
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert next(stream, "end") == "end"


@each_order
@each_concurrency
def test_an_exception_of_the_source_comes_after_the_results_before_it(
    pool: treadle.ThreadPoolExecutor, concurrency: int | None, ordered: bool
) -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        throw(LookupError("source"))

    stream = pool.stream(int, source(), concurrency=concurrency, ordered=ordered)
    assert sorted(next(stream) for _ in range(5)) == list(range(5))
    with pytest.raises(LookupError, match="source"):
        next(stream)
    assert next(stream, "end") == "end"


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_a_call_cannot_end_the_loop_of_the_reader(
    pool: treadle.ThreadPoolExecutor, error: type[Exception]
) -> None:
    with pytest.raises(RuntimeError) as caught:
        list(pool.stream(throw, [error("end")]))
    assert isinstance(caught.value.__cause__, error)


def test_a_pool_that_was_shut_down_ends_the_stream_after_its_results(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    stream = pool.stream(int, range(100), concurrency=3)
    results = [next(stream)]
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        results.extend(stream)
    assert results == list(range(len(results)))
    assert next(stream, "end") == "end"


def test_a_shutdown_with_cancellation_is_no_silent_end(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    stream = pool.stream(lambda n: gate.wait(n) if n else n, range(100), concurrency=workers + 5)
    assert next(stream) == 0
    reading = in_thread(lambda: list(stream))
    gate.await_arrivals(workers)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.open()
    with pytest.raises((concurrent.futures.CancelledError, RuntimeError)):
        reading.get()


@each_order
def test_a_task_may_read_a_stream_of_its_own_pool(
    make_executor: Callable[..., Any], ordered: bool
) -> None:
    pool = make_executor(1)
    reading = pool.submit(lambda: sorted(pool.stream(int, range(50), ordered=ordered)))
    assert reading.result() == list(range(50))


def test_streams_can_follow_each_other(pool: treadle.ThreadPoolExecutor) -> None:
    doubled = pool.stream(lambda number: 2 * number, range(100), concurrency=4)
    assert list(pool.stream(str, doubled)) == [str(2 * number) for number in range(100)]


def test_two_readers_at_once_get_a_clear_error(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    stream = pool.stream(gate.wait, [1], concurrency=workers)
    first = in_thread(lambda: next(stream))
    gate.await_arrivals()
    with pytest.raises(RuntimeError, match="is being read already"):
        next(stream)
    gate.open()
    assert first.get() == 1


def test_an_overriding_submit_is_used(executor_type: type[Any], workers: int) -> None:
    class Doubling(executor_type):  # type: ignore[misc]
        """Submits twice the number."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(lambda: 2 * fn(*args, **kwargs))

    with Doubling(workers) as pool:
        assert list(pool.stream(int, [1, 2, 3])) == [2, 4, 6]


def test_async_items_cannot_be_read_with_for(pool: treadle.ThreadPoolExecutor) -> None:
    stream = pool.stream(int, AsyncSource([1]))
    for read in (iter, next):
        with pytest.raises(TypeError, match="read it with 'async for'"):
            read(stream)  # type: ignore[call-overload]


async def coroutine_function(_: Any) -> None: ...


class CallsAsync:
    async def __call__(self, _: Any) -> None: ...

    async def method(self, _: Any) -> None: ...


@pytest.mark.parametrize(
    "fn",
    [
        coroutine_function,
        functools.partial(coroutine_function, 1),
        CallsAsync(),
        CallsAsync().method,
    ],
)
def test_coroutine_functions_are_refused_at_once(pool: treadle.ThreadPoolExecutor, fn: Any) -> None:
    with pytest.raises(TypeError, match="is a coroutine function: await its call itself"):
        pool.stream(fn, [1])


def test_what_cannot_be_streamed_is_refused_at_once(pool: treadle.ThreadPoolExecutor) -> None:
    with pytest.raises(TypeError, match="stream needs a callable, not 'int'"):
        pool.stream(5, [1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        pool.stream(int, 5)  # type: ignore[arg-type]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"concurrency must be .*, not {wrong}"):
            pool.stream(int, [1], concurrency=wrong)
    for nonsense in ("1", 1.5):
        with pytest.raises(TypeError, match="concurrency must be a positive integer or None"):
            pool.stream(int, [1], concurrency=nonsense)  # type: ignore[arg-type]


def test_a_busy_pool_is_no_deadlock(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    reading = in_thread(lambda: list(pool.stream(int, range(9))))
    gate.open()
    assert reading.get() == list(range(9))
