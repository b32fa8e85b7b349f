"""`async with pool` and `aclose`: a shutdown that does not block the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.tidy_loops import LOOPS, run_on
from support.waiting import LIMIT, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine on a loop that must have no task left in the end."""
    return lambda main: run_on(request.param, main)


def helpers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.endswith("-aclose")]


@pytest.fixture(params=["pool", "async executor"])
def closing(request: pytest.FixtureRequest, workers: int) -> Any:
    """Something with `aclose`, and the pool behind it."""
    if request.param == "pool":
        pool = treadle.ThreadPoolExecutor(workers)
        return pool, pool
    executor = treadle.AsyncThreadExecutor[Any](workers)
    return executor, executor._pool


def test_the_loop_runs_while_the_pool_ends(
    closing: Any, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        executor, pool = closing
        async with executor as entered:
            assert entered is executor
            future = pool.submit(gate.wait, "ended")
            gate.await_arrivals()
            asyncio.get_running_loop().call_soon(gate.open)
        assert future.done()
        assert future.result() == "ended"
        assert not any(thread.is_alive() for thread in pool._threads)
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(int)
        await executor.aclose()
        assert eventually(lambda: helpers() == [])

    run(main())


def test_queued_calls_still_run(closing: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        executor, pool = closing
        futures = pool.submit_many(int, range(100))
        await executor.aclose()
        assert [future.result(0) for future in futures] == list(range(100))

    run(main())


def test_a_cancelled_aclose_leaves_the_shutdown_going(
    closing: Any, run: Callable[..., Any], gate: Gate
) -> None:
    async def main() -> None:
        executor, pool = closing
        future = pool.submit(gate.wait)
        gate.await_arrivals()
        ending = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(int)
        gate.open()
        future.result(LIMIT)
        await executor.aclose()
        assert eventually(lambda: helpers() == [])

    run(main())


def test_many_may_close_at_once(closing: Any, run: Callable[..., Any], gate: Gate) -> None:
    async def main() -> None:
        executor, pool = closing
        pool.submit(gate.wait)
        gate.await_arrivals()
        ending = [asyncio.create_task(executor.aclose()) for _ in range(5)]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*ending)

    run(main())


def test_a_worker_cannot_wait_for_its_own_end(closing: Any) -> None:
    executor, pool = closing
    with pytest.raises(RuntimeError, match="a worker cannot wait for the end of its own pool"):
        pool.submit(lambda: asyncio.run(executor.aclose())).result(LIMIT)
    pool.shutdown()
