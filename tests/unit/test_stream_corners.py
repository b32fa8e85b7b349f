"""Streams and iterations in awkward moments, each found by somebody who looked for it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.tidy_loops import LOOPS, run_on
from support.waiting import LIMIT, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.ours
each_loop = pytest.mark.parametrize("loop", LOOPS)


def count_for_ever() -> Iterator[int]:
    yield from itertools.count()


@each_loop
def test_a_stream_closed_before_its_first_step_closes_its_source(executor: Any, loop: str) -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def main() -> None:
        items = source()
        await items.__anext__()  # it has begun: it has something to close
        stream = executor.stream(abs, items)

        async def read() -> None:
            async for _ in stream:
                pass

        await asyncio.wait_for(asyncio.gather(read(), stream.aclose()), LIMIT)

    run_on(loop, main())
    assert closed == [True]


@each_loop
def test_a_source_that_takes_its_time_to_close_is_not_disturbed(executor: Any, loop: str) -> None:
    closed: list[str] = []

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(LIMIT)
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            closed.append("whole")

    async def main() -> None:
        stream = executor.stream(abs, source())

        async def read() -> None:
            async for _ in stream:
                pass

        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0.01)
        stream.close()
        await stream.aclose()
        await reader

    run_on(loop, main())
    assert closed == ["whole"]


@each_loop
def test_a_pool_that_is_shut_down_has_the_source_closed(executor: Any, loop: str) -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[int]:
        try:
            for number in itertools.count():
                yield number
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def main() -> None:
        stream = executor.stream(abs, source())
        assert await stream.__anext__() == 0
        executor.shutdown(wait=False)
        with pytest.raises(RuntimeError, match="after shutdown"):
            async for _ in stream:
                pass
        await stream.aclose()

    run_on(loop, main())
    assert closed == [True]


LOST = OSError("lost")


class Source:
    """An iterator of both kinds that fails, and can be closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> int:
        raise LOST

    def close(self) -> None:
        self.closed += 1


class AsyncSource:
    """The same for event loops."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> AsyncSource:
        return self

    async def __anext__(self) -> int:
        raise LOST

    async def aclose(self) -> None:
        self.closed += 1


def test_a_source_that_fails_is_closed(executor: Any) -> None:
    source = Source()
    with pytest.raises(OSError, match="lost"):
        list(executor.stream(abs, source))
    assert source.closed == 1


@each_loop
def test_an_async_source_that_fails_is_closed(executor: Any, loop: str) -> None:
    source = AsyncSource()

    async def main() -> None:
        stream = executor.stream(abs, source)
        with pytest.raises(OSError, match="lost"):
            await stream.__anext__()
        await stream.aclose()

    run_on(loop, main())
    assert source.closed == 1


def test_a_stream_is_fed_in_one_loop_and_read_in_another(executor: Any) -> None:
    count = 2000

    async def source() -> AsyncIterator[int]:
        for number in range(count):
            yield number

    stream = executor.stream(abs, source(), concurrency=1)
    fed, over = threading.Event(), threading.Event()
    first: list[int] = []

    async def feed() -> None:
        first.append(await stream.__anext__())
        fed.set()
        await asyncio.to_thread(over.wait, LIMIT)

    async def read() -> list[int]:
        return [item async for item in stream]

    feeder = in_thread(asyncio.run, feed())
    assert fed.wait(LIMIT)
    try:
        rest = asyncio.run(asyncio.wait_for(read(), LIMIT))
    finally:
        over.set()
        feeder.get()
    assert first + rest == list(range(count))


def test_a_close_from_another_thread_ends_the_reading(executor: Any) -> None:
    for _ in range(100):
        stream = executor.stream(abs, itertools.count())
        reader = in_thread(lambda stream=stream: sum(1 for _ in stream))
        in_thread(stream.close).get()
        reader.get()


@each_loop
def test_a_pool_closes_though_the_reader_of_an_iteration_is_gone(executor: Any, loop: str) -> None:
    async def main() -> None:
        async with executor as pool:
            iteration = pool.iterate(count_for_ever)
            await asyncio.ensure_future(iteration.__anext__())
        with pytest.raises(treadle.errors.CancelledError):
            for _ in iteration:
                pass

    run_on(loop, asyncio.wait_for(main(), LIMIT))


def test_an_iteration_in_a_cycle_is_collected_in_the_middle_of_a_shutdown(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)
    gate = threading.Event()
    pool.submit(gate.wait)
    for _ in range(50):
        cycle: list[Any] = [pool.iterate(count_for_ever)]
        cycle.append(cycle)
    del cycle
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        pool.shutdown(wait=False, cancel_futures=True)
    finally:
        gc.set_threshold(*thresholds)
        gate.set()


class Proxy:
    """Answers to every name, as proxies of remote objects do."""

    def __getattr__(self, name: str) -> Proxy:
        return self

    def __call__(self, *args: int) -> int:
        return sum(args)


def test_a_proxy_may_be_called_in_a_thread(executor: Any) -> None:
    assert asyncio.run(treadle.to_thread(Proxy(), 1, 2)) == 3
    assert list(executor.stream(Proxy(), [1, 2])) == [1, 2]
