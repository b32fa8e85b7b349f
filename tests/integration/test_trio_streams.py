"""Streams, iterations and `AsyncThreadExecutor` on trio, by way of anyio beside asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, throw

anyio = pytest.importorskip("anyio")
pytest.importorskip("trio")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [
    pytest.mark.ours,
    pytest.mark.parametrize("backend", ["asyncio", "trio"]),
]


def count(limit: int) -> Iterator[int]:
    yield from range(limit)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_stream_is_read(executor: Any, backend: str, ordered: bool) -> None:
    async def main() -> list[int]:
        return [item async for item in executor.stream(abs, range(-200, 0), ordered=ordered)]

    results = anyio.run(main, backend=backend)
    assert sorted(results) == list(range(1, 201))
    assert not ordered or results == sorted(results, reverse=True)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_stream_of_an_async_source_is_read(executor: Any, backend: str, ordered: bool) -> None:
    closed = threading.Event()

    async def source() -> AsyncIterator[int]:
        try:
            for number in range(100):
                await anyio.sleep(0)
                yield number
        finally:
            closed.set()

    async def main() -> list[int]:
        return [item async for item in executor.stream(abs, source(), ordered=ordered)]

    assert sorted(anyio.run(main, backend=backend)) == list(range(100))
    assert closed.is_set()


def test_a_cancelled_reader_closes_the_source(executor: Any, gate: Gate, backend: str) -> None:
    closed = threading.Event()

    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async def main() -> None:
        stream = executor.stream(gate.wait, source())
        with anyio.move_on_after(0.01):
            async for _ in stream:
                pass
        with anyio.CancelScope(shield=True):
            await stream.aclose()

    anyio.run(main, backend=backend)
    assert closed.is_set()
    assert executor._work_queue.qsize() == 0 or gate.open() is None


def test_an_iteration_is_read(executor: Any, backend: str) -> None:
    async def main() -> list[int]:
        return [item async for item in executor.iterate(count, 1000)]

    assert anyio.run(main, backend=backend) == list(range(1000))


def test_an_iteration_is_left_early(executor: Any, backend: str) -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    async def main() -> None:
        iteration = executor.iterate(numbers)
        async for number in iteration:
            if number == 100:
                break
        await iteration.aclose()
        assert closed.is_set()

    anyio.run(main, backend=backend)


def test_calls_are_awaited_with_a_time_limit(gate: Gate, backend: str) -> None:
    async def main() -> None:
        async with treadle.AsyncThreadExecutor(2) as executor:
            assert await executor.run(pow, 2, 5) == 32
            assert await executor.run(pow, 2, 5, timeout=LIMIT) == 32
            assert await executor.map(abs, [-1, -2]) == [1, 2]
            with pytest.raises(ValueError, match="in the thread"):
                await executor.run(throw, ValueError("in the thread"))
            with pytest.raises(asyncio.TimeoutError):
                await executor.run(gate.wait, timeout=0.01)
            assert executor.statistics().abandoned == 1
            gate.open()

    anyio.run(main, backend=backend)


def test_a_pool_is_closed_without_blocking(executor: Any, backend: str) -> None:
    async def main() -> None:
        async with executor as pool:
            assert await pool.submit(pow, 2, 5) == 32

    anyio.run(main, backend=backend)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)
