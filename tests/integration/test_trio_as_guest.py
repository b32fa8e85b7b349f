"""Trio as a guest of asyncio: its tasks run in callbacks of a loop of asyncio's."""

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
            with pytest.raises(TimeoutError):
                await pool.run(gate.wait, timeout=0.01)
            gate.open()

    run_as_guest(main)
