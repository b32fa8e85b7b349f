"""`stream` read with `async for`: sync and async sources, on asyncio and uvloop."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.streams import AsyncSource, Source
from support.tidy_loops import LOOPS, run_on, until
from support.waiting import Gate, throw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.ours

each_order = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as-completed"])
each_concurrency = pytest.mark.parametrize("concurrency", [None, 1, 3])
each_source = pytest.mark.parametrize("source_type", [Source, AsyncSource])
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine on a loop that must have no task left in the end."""
    return lambda main: run_on(request.param, main)


@each_order
@each_concurrency
@each_source
def test_every_result_comes_once(
    pool: treadle.ThreadPoolExecutor,
    run: Callable[..., Any],
    source_type: Any,
    concurrency: int | None,
    ordered: bool,
) -> None:
    async def main() -> list[str]:
        stream = pool.stream(str, source_type(range(300)), concurrency=concurrency, ordered=ordered)
        return [result async for result in stream]

    results = run(main())
    assert (results if ordered else sorted(results, key=int)) == [str(n) for n in range(300)]


@each_order
@each_source
@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_no_more_items_are_in_flight_than_allowed(
    pool: treadle.ThreadPoolExecutor,
    run: Callable[..., Any],
    source_type: Any,
    concurrency: int,
    ordered: bool,
) -> None:
    async def main() -> None:
        source = source_type(itertools.count())
        stream = pool.stream(int, source, concurrency=concurrency, ordered=ordered)
        for handed in range(100):
            await stream.__anext__()
            await asyncio.sleep(0)
            assert source.taken <= handed + 1 + concurrency
        await stream.aclose()
        assert source.closed == 1

    run(main())


@each_order
def test_a_slow_source_does_not_hold_back_a_result(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], ordered: bool
) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def source() -> AsyncIterator[int]:
            yield 1
            await go_on.wait()
            yield 2

        stream = pool.stream(int, source(), ordered=ordered)
        assert await stream.__anext__() == 1  # the source waits until this is here
        go_on.set()
        assert [result async for result in stream] == [2]

    run(main())


def test_a_waiting_reader_does_not_hold_back_the_source(
    make_executor: Callable[..., Any], run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        source = AsyncSource(range(10))
        stream = make_executor(1).stream(gate.wait, source, concurrency=5)
        reading = asyncio.create_task(stream.__anext__())
        await until(lambda: source.taken == 5)
        gate.open()
        assert await reading == 0
        await stream.aclose()

    run(main())


@each_source
def test_an_exception_is_raised_at_its_item_and_ends_the_stream(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], source_type: Any
) -> None:
    async def main() -> None:
        source = source_type([1, -1, 0, *[1] * 500])
        stream = pool.stream(lambda number: 1 // number, source)
        assert [await stream.__anext__(), await stream.__anext__()] == [1, -1]
        with pytest.raises(ZeroDivisionError):
            await stream.__anext__()
        assert source.closed == 1
        assert [result async for result in stream] == []

    run(main())


@each_order
def test_an_exception_of_the_source_comes_after_the_results_before_it(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], ordered: bool
) -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(5):
            yield number
        throw(LookupError("source"))

    async def main() -> None:
        stream = pool.stream(int, source(), ordered=ordered)
        assert sorted([await stream.__anext__() for _ in range(5)]) == list(range(5))
        with pytest.raises(LookupError, match="source"):
            await stream.__anext__()
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    run(main())


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_a_call_cannot_end_the_loop_of_the_reader(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], error: type[Exception]
) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError) as caught:
            async for _ in pool.stream(throw, [error("end")]):
                pass
        assert isinstance(caught.value.__cause__, error)

    run(main())


def test_calls_see_the_context_of_the_reader(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        variable.set("seen")
        for source in (Source([1]), AsyncSource([1])):
            assert [r async for r in pool.stream(lambda _: variable.get(), source)] == ["seen"]

    run(main())


def test_two_readers_at_once_get_a_clear_error(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        stream = pool.stream(gate.wait, [1])
        first = asyncio.create_task(stream.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is being read already"):
            await stream.__anext__()
        gate.open()
        assert await first == 1

    run(main())


@each_source
def test_streams_can_follow_each_other(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], source_type: Any
) -> None:
    async def main() -> None:
        source = source_type(itertools.count())
        doubled = pool.stream(lambda number: 2 * number, source, concurrency=4)
        texts = pool.stream(str, doubled, concurrency=4)
        assert [await texts.__anext__() for _ in range(50)] == [str(2 * n) for n in range(50)]
        await texts.aclose()
        assert source.closed == 1

    run(main())


def test_a_stream_may_be_read_by_turns_with_for_and_async_for(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        stream = pool.stream(int, range(100))
        for number in range(0, 100, 2):
            assert next(stream) == number
            assert await stream.__anext__() == number + 1
        assert next(stream, "end") == "end"

    run(main())


def test_many_streams_share_a_pool(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    async def total() -> int:
        return sum([r async for r in pool.stream(int, AsyncSource(range(200)), ordered=False)])

    async def main() -> None:
        assert await asyncio.gather(*(total() for _ in range(8))) == [sum(range(200))] * 8

    run(main())
