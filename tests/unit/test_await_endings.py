"""Awaits that end early, loops that close, and what an await keeps alive: nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.references import Thing, dies_uncollected, eventually_dead, no_collection
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from support.logs import LogRecorder

pytestmark = pytest.mark.ours


async def value_of(awaitable: Any) -> Any:
    return await awaitable


def test_a_cancelled_awaiter_cancels_a_queued_task(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    async def main() -> None:
        occupy(executor, gate, workers)
        ran: list[int] = []
        future = executor.submit(ran.append, 1)
        awaiting = asyncio.create_task(value_of(future))
        await asyncio.sleep(0)
        awaiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await awaiting
        assert future.cancelled()
        gate.open()
        await executor.submit(int)
        assert ran == []

    asyncio.run(main())


def test_a_cancelled_awaiter_leaves_a_running_task_alone(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    async def main() -> None:
        future = executor.submit(gate.wait, "finished")
        gate.await_arrivals()
        awaiting = asyncio.create_task(value_of(future))
        await asyncio.sleep(0)
        awaiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await awaiting
        assert not future.done()
        gate.open()
        assert await future == "finished"

    asyncio.run(main())


def test_the_time_for_an_await_can_run_out(executor: ThreadPoolExecutor, gate: Gate) -> None:
    async def main() -> None:
        future = executor.submit(gate.wait)
        gate.await_arrivals()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(future, 0.01)
        gate.open()
        assert await asyncio.wait_for(executor.submit(int), LIMIT) == 0

    asyncio.run(main())


def test_a_loop_closed_before_the_completion_does_no_harm(
    executor: ThreadPoolExecutor, gate: Gate, futures_log: LogRecorder
) -> None:
    async def main() -> None:
        futures.append(executor.submit(gate.wait, "late"))
        gate.await_arrivals()
        awaiting = asyncio.ensure_future(value_of(futures[0]))
        await asyncio.sleep(0)
        awaiting.cancel()

    futures: list[Any] = []
    asyncio.run(main())
    gate.open()
    assert futures[0].result(LIMIT) == "late"
    assert executor.submit(int).result(LIMIT) == 0
    assert asyncio.run(value_of(futures[0])) == "late"
    assert futures_log.take_texts() == []


def test_an_abandoned_loop_does_no_harm(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)
    future = pool.submit(gate.wait, "unheard")
    loop = asyncio.new_event_loop()
    awaiting = loop.create_task(value_of(future))
    loop.call_soon(loop.stop)
    loop.run_forever()
    awaiting._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    gate.open()
    assert future.result(LIMIT) == "unheard"
    assert pool.submit(int).result(LIMIT) == 0


def test_awaiting_keeps_nothing_alive(executor: ThreadPoolExecutor) -> None:
    references: list[weakref.ref[Any]] = []

    async def main() -> None:
        for _ in range(3):
            future = executor.submit(Thing)
            references.append(weakref.ref(await future))
            references.append(weakref.ref(future))
            del future

    asyncio.run(main())
    assert all(eventually_dead(reference) for reference in references)


def test_an_awaited_exception_is_in_no_cycle(executor: ThreadPoolExecutor) -> None:
    references: list[weakref.ref[Any]] = []

    def task() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        int("raised by no frame that keeps the exception")

    async def main() -> None:
        try:
            await executor.submit(task)
        except ValueError:
            return

    with no_collection():
        asyncio.run(main())
        assert dies_uncollected(references[0])


def test_a_collected_awaiter_is_forgotten(executor: ThreadPoolExecutor, gate: Gate) -> None:
    thing = Thing()
    reference = weakref.ref(thing)

    async def hold(one: Thing, future: Any) -> None:
        await future
        del one

    async def main() -> None:
        nonlocal thing
        future = executor.submit(gate.wait)
        awaiting = asyncio.ensure_future(hold(thing, future))
        del thing
        await asyncio.sleep(0)
        awaiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await awaiting
        del awaiting
        gc.collect()
        assert await asyncio.to_thread(eventually_dead, reference)
        gate.open()

    asyncio.run(main())


def test_awaiting_threads_end_with_their_loops(executor: ThreadPoolExecutor) -> None:
    before = threading.active_count()
    assert asyncio.run(value_of(executor.submit(int))) == 0
    assert eventually(lambda: threading.active_count() <= before + len(executor._threads))
