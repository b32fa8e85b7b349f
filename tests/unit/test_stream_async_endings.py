"""Async reading that ends early: no task, no complaint, nothing queued, the source closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.references import Thing, eventually_dead
from support.streams import AsyncSource, Source
from support.tidy_loops import LOOPS, new_loop, run_on, until
from support.waiting import Gate, in_thread, throw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import treadle

pytestmark = pytest.mark.ours

each_order = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as-completed"])
each_source = pytest.mark.parametrize("source_type", [Source, AsyncSource])


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine on a loop that must have no task left in the end."""
    return lambda main: run_on(request.param, main)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@each_order
@each_source
def test_a_break_closes_the_source(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], source_type: Any, ordered: bool
) -> None:
    async def main() -> None:
        source = source_type(itertools.count())
        async for _ in pool.stream(int, source, ordered=ordered):
            break
        gc.collect()
        await turns()
        assert source.closed == 1

    run(main())


@each_source
def test_aclose_cancels_what_has_not_started(
    make_executor: Callable[..., Any], run: Callable[..., Any], gate: Gate, source_type: Any
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        return gate.wait(number) if number else number

    async def main() -> None:
        source = source_type(range(100))
        stream = pool.stream(task, source, concurrency=50)
        assert await stream.__anext__() == 0
        await stream.aclose()
        await stream.aclose()
        assert source.closed == 1
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    run(main())
    gate.open()
    pool.shutdown()
    assert len(ran) <= 2  # one may have started


@each_source
def test_a_cancelled_reader_ends_the_stream(
    make_executor: Callable[..., Any], run: Callable[..., Any], gate: Gate, source_type: Any
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        return gate.wait(number)

    async def main() -> None:
        source = source_type(range(100))
        stream = pool.stream(task, source, concurrency=10)
        reading = asyncio.create_task(stream.__anext__())
        await until(lambda: ran)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert source.closed == 1
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    run(main())
    gate.open()
    pool.shutdown()
    assert ran == [0]


def test_the_time_for_a_read_can_run_out(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        stream = pool.stream(gate.wait, AsyncSource(range(5)))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.__anext__(), 0.01)
        gate.open()

    run(main())


def test_an_async_generator_as_source_runs_its_finally_in_its_own_task(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    tasks: list[Any] = []

    async def source() -> AsyncIterator[int]:
        tasks.append(asyncio.current_task())
        try:
            for number in itertools.count():
                yield number
        finally:
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())

    async def main() -> None:
        async with contextlib.aclosing(pool.stream(int, source())) as stream:
            async for _ in stream:
                break
        assert len(tasks) == 2
        assert tasks[0] is tasks[1] is not asyncio.current_task()
        tasks.clear()

    run(main())


def test_a_source_that_waits_is_cancelled_with_its_stream(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    ended: list[str] = []

    async def source() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("finally")

    async def main() -> None:
        stream = pool.stream(int, source())
        assert await stream.__anext__() == 1
        await stream.aclose()
        assert ended == ["finally"]

    run(main())


def test_close_from_another_thread_ends_the_wait_of_the_reader(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        source = AsyncSource(range(3))
        stream = pool.stream(gate.wait, source)
        reading = asyncio.create_task(stream.__anext__())
        await until(lambda: source.taken)
        in_thread(stream.close).get()
        with pytest.raises(StopAsyncIteration):
            await reading
        gate.open()

    run(main())


def test_aclose_raises_what_closing_the_source_raised(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    async def source() -> AsyncIterator[int]:
        try:
            for number in itertools.count():
                yield number
        finally:
            throw(LookupError("in finally"))

    async def main() -> None:
        stream = pool.stream(int, source())
        assert await stream.__anext__() == 0
        with pytest.raises(LookupError, match="in finally"):
            await stream.aclose()

    run(main())


def test_the_loop_hears_of_a_source_that_fails_to_close_unseen(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    heard: list[Any] = []

    class Bad(AsyncSource):
        async def aclose(self) -> None:
            throw(LookupError("unseen"))

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
        stream = pool.stream(int, Bad(itertools.count()))
        assert await stream.__anext__() == 0
        stream.close()
        await turns()

    asyncio.run(main())
    assert [type(context["exception"]) for context in heard] == [LookupError]


@pytest.mark.parametrize("loop_type", LOOPS)
def test_a_loop_that_is_closed_too_early_is_no_news(
    pool: treadle.ThreadPoolExecutor, loop_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop(loop_type)
    streams = [pool.stream(int, AsyncSource(itertools.count()))]

    async def read_one() -> int:
        return await streams[0].__anext__()

    assert loop.run_until_complete(read_one()) == 0
    loop.close()
    streams.clear()
    gc.collect()
    assert caplog.records == []


def test_asyncio_run_ends_a_stream_that_nobody_closed(pool: treadle.ThreadPoolExecutor) -> None:
    source = AsyncSource(itertools.count())
    kept: list[Any] = []

    async def main() -> None:
        kept.append(pool.stream(int, source))
        assert await kept[0].__anext__() == 0

    asyncio.run(main())
    assert source.closed == 1


def test_a_dropped_stream_keeps_nothing(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        item = Thing()
        reference = weakref.ref(item)
        stream = pool.stream(lambda thing: thing, AsyncSource(itertools.repeat(item)))
        assert await stream.__anext__() is item
        del item, stream
        await turns()
        assert eventually_dead(reference)

    run(main())


def test_an_awaitable_that_is_dropped_in_the_middle_does_no_harm(
    pool: treadle.ThreadPoolExecutor, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        source = Source(itertools.count())
        reading = pool.stream(gate.wait, source).__anext__()
        reading.send(None)
        reading.close()
        assert source.closed == 1
        gate.open()

    run(main())
