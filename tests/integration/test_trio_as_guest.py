"""Trio as a guest of asyncio, and either inside of the other: whose task awaits decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import treadle
from support.waiting import LIMIT, Gate, throw

trio = pytest.importorskip("trio")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.ours

T = TypeVar("T")


def run_as_guest(main: Callable[[], Awaitable[T]]) -> T:
    """As `trio.run`, in a loop of asyncio's."""

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            main, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=over.set_result
        )
        return (await asyncio.wait_for(over, LIMIT)).unwrap()

    return asyncio.run(host())  # type: ignore[no-any-return]


def test_a_task_is_awaited(executor: Any, gate: Gate) -> None:
    async def main() -> Any:
        with pytest.raises(ValueError, match="in the worker"):
            await executor.submit(throw, ValueError("in the worker"))
        future = executor.submit(gate.wait, 7)
        gate.open()
        return await future

    assert run_as_guest(main) == 7


@pytest.mark.parametrize("ordered", [True, False])
def test_a_stream_of_an_async_source_is_read(executor: Any, ordered: bool) -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(100):
            await trio.sleep(0)  # fails where trio does not run the task
            yield number

    async def main() -> list[int]:
        return [item async for item in executor.stream(abs, source(), ordered=ordered)]

    assert sorted(run_as_guest(main)) == list(range(100))


def test_a_time_limit_is_trios(gate: Gate) -> None:
    async def main() -> None:
        async with treadle.AsyncThreadExecutor[Any](1) as pool:
            with pytest.raises((TimeoutError, asyncio.TimeoutError)):  # two classes on 3.10
                await pool.run(gate.wait, timeout=0.01)
            gate.open()

    run_as_guest(main)


async def on_asyncio(executor: Any) -> list[int]:
    await asyncio.sleep(0)
    assert await treadle.to_thread(abs, -7) == 7
    return [item async for item in executor.stream(abs, range(3))] + [await executor.submit(int)]


async def on_trio(executor: Any) -> list[int]:
    await trio.sleep(0)
    assert await treadle.to_thread(abs, -7) == 7
    return [item async for item in executor.stream(abs, range(3))] + [await executor.submit(int)]


def test_asyncio_inside_of_a_trio_task(executor: Any) -> None:
    async def main() -> list[int]:
        inner = asyncio.run(on_asyncio(executor))
        return inner + await on_trio(executor)

    assert trio.run(main) == [0, 1, 2, 0] * 2


def test_trio_inside_of_an_asyncio_task(executor: Any) -> None:
    async def main() -> list[int]:
        inner: list[int] = trio.run(on_trio, executor)
        return inner + await on_asyncio(executor)

    assert asyncio.run(main()) == [0, 1, 2, 0] * 2


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="tasks are never eager")
def test_an_eager_task_of_asyncio_begun_by_a_guest(executor: Any) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        over = trio.Event()
        task = loop.create_task(on_asyncio(executor))
        task.add_done_callback(lambda _: over.set())
        await over.wait()
        return task.result()

    assert run_as_guest(main) == [0, 1, 2, 0]
