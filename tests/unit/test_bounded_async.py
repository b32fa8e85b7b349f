"""Waiting for room without blocking an event loop: `submit_async`, and what loops do otherwise."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, in_thread, occupy
from treadle.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., treadle.ThreadPoolExecutor]

pytestmark = pytest.mark.ours

POLICIES = ["block", "raise", "run", "drop_oldest"]


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs an async function on the loop, and gives its result."""
    library = pytest.importorskip(request.param)
    if request.param == "trio":
        return library.run  # type: ignore[no-any-return]
    if request.param == "asyncio":
        return lambda main: asyncio.run(asyncio.wait_for(main(), LIMIT))

    def on_uvloop(main: Any) -> Any:
        loop = library.new_event_loop()
        try:
            return loop.run_until_complete(main())
        finally:
            loop.close()

    return on_uvloop


def full_pool(
    make_executor: MakePool, gate: Gate, policy: str = "block", bound: int = 1
) -> treadle.ThreadPoolExecutor:
    pool = make_executor(1, max_pending=bound, when_full=policy)
    occupy(pool, gate, 1)
    for number in range(bound):
        pool.submit(str, number)
    return pool


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("policy", POLICIES)
def test_it_waits_under_every_policy_while_the_loop_goes_on(
    make_executor: MakePool, gate: Gate, policy: str
) -> None:
    pool = full_pool(make_executor, gate, policy)

    async def main() -> str:
        waiting = asyncio.ensure_future(pool.submit_async(str, "late"))
        await turns()
        assert not waiting.done()
        gate.open()
        future = await waiting
        assert type(future) is treadle.Future
        return await future

    assert asyncio.run(main()) == "late"


def test_there_is_room_at_once_where_there_is(
    make_executor: MakePool, run: Callable[..., Any]
) -> None:
    async def main() -> list[int]:
        futures = []
        for pool in make_executor(2), make_executor(2, max_pending=100):
            futures += [await pool.submit_async(pow, 2, exp=number) for number in range(5)]
        return [await future for future in futures]

    assert run(main) == [1, 2, 4, 8, 16] * 2


def test_more_calls_than_room_on_every_loop(
    make_executor: MakePool, run: Callable[..., Any]
) -> None:
    pool = make_executor(2, max_pending=2)
    waiting: list[int] = []

    def task(number: int) -> int:
        waiting.append(pool._queue_size())
        return number

    async def main() -> list[int]:
        futures = [await pool.submit_async(task, number) for number in range(300)]
        return [await future for future in futures]

    assert run(main) == list(range(300))
    assert max(waiting) <= 2


def test_a_call_that_cannot_be_made_is_refused(make_executor: MakePool) -> None:
    pool = make_executor(1, max_pending=1)

    async def main() -> None:
        for _ in range(3):  # and gives its place back
            with pytest.raises(TypeError, match="main"):
                await pool.submit_async(main)
        assert pool.try_submit(str) is not None

    asyncio.run(main())


class TestCancelledWaiters:
    def test_they_queue_nothing_and_keep_no_place(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = full_pool(make_executor, gate)
        ran: list[int] = []

        async def main() -> None:
            waiting = [asyncio.ensure_future(pool.submit_async(ran.append, n)) for n in range(20)]
            await turns()
            for one in waiting[::2]:
                one.cancel()
            gate.open()
            done = await asyncio.gather(*waiting, return_exceptions=True)
            assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, False] * 10

        asyncio.run(main())
        pool.submit(str).result(LIMIT)
        assert sorted(ran) == list(range(1, 20, 2))

    def test_one_that_was_given_a_place_at_that_moment_passes_it_on(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = full_pool(make_executor, gate)
        ran: list[str] = []
        empty = Gate()

        async def main() -> None:
            waiting = asyncio.ensure_future(pool.submit_async(ran.append, "cancelled"))
            await turns()
            gate.open()  # the loop has no turn from here on, and the worker takes what is queued
            thread = in_thread(pool.submit, empty.open)
            empty_seen = in_thread(empty.wait)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            thread.get().result(LIMIT)
            empty_seen.get()

        asyncio.run(main())
        assert ran == []
        assert pool.submit(str, 1).result(LIMIT) == "1"
        assert pool.try_submit(str) is not None

    def test_a_time_limit_ends_the_wait(self, make_executor: MakePool, gate: Gate) -> None:
        pool = full_pool(make_executor, gate)

        async def main() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(pool.submit_async(str, "late"), 0.01)

        asyncio.run(main())
        assert pool._queue_size() == 1

    def test_on_trio(self, make_executor: MakePool, gate: Gate) -> None:
        trio = pytest.importorskip("trio")
        pool = full_pool(make_executor, gate)
        ran: list[int] = []

        async def main() -> None:
            with trio.move_on_after(0.01) as scope:
                await pool.submit_async(ran.append, 1)
            assert scope.cancelled_caught
            gate.open()
            await (await pool.submit_async(ran.append, 2))

        trio.run(main)
        assert ran == [2]

    def test_one_whose_loop_was_closed_blocks_nobody(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = full_pool(make_executor, gate)
        loop = asyncio.new_event_loop()
        coroutine = pool.submit_async(str, "never")
        task = loop.create_task(coroutine)
        loop.run_until_complete(turns())
        loop.close()
        gate.open()
        coroutine.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task, coroutine, loop
        gc.collect()
        assert in_thread(pool.submit, str, 1).get().result(LIMIT) == "1"


class TestTheEnd:
    def test_shutdown_ends_those_who_wait(
        self, make_executor: MakePool, gate: Gate, run: Callable[..., Any]
    ) -> None:
        pool = full_pool(make_executor, gate)

        async def main() -> None:
            threading.Timer(0.05, pool.shutdown, [False]).start()
            with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
                await pool.submit_async(str)

        run(main)

    def test_after_shutdown_it_is_refused(self, make_executor: MakePool) -> None:
        pool = make_executor(1, max_pending=1)
        pool.shutdown()

        async def main() -> None:
            with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
                await pool.submit_async(str)

        asyncio.run(main())


class TestLoopsAndBounds:
    def test_a_loop_inside_of_the_only_worker_finds_room(self, make_executor: MakePool) -> None:
        pool = make_executor(1, max_pending=1)

        async def main() -> list[str]:
            futures = [await pool.submit_async(str, number) for number in range(10)]
            return [await future for future in futures]

        assert pool.submit(asyncio.run, main()).result(LIMIT) == [str(n) for n in range(10)]

    def test_threads_and_loops_wait_in_one_line(self, make_executor: MakePool, gate: Gate) -> None:
        pool = full_pool(make_executor, gate)
        ran: list[int] = []

        async def main() -> None:
            waiting = [asyncio.ensure_future(pool.submit_async(ran.append, n)) for n in range(50)]
            threads = [in_thread(pool.submit, ran.append, n) for n in range(50, 60)]
            await turns()
            gate.open()
            for one in waiting:
                await (await one)
            for thread in threads:
                await asyncio.wrap_future(thread.get())

        asyncio.run(main())
        assert sorted(ran) == list(range(60))

    def test_run_in_executor_does_what_the_policy_says(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        async def main(policy: str) -> Any:
            pool = full_pool(make_executor, gate, policy)
            return await asyncio.get_running_loop().run_in_executor(pool, threading.get_ident)

        with pytest.raises(QueueFull):
            asyncio.run(main("raise"))
        assert asyncio.run(main("run")) == threading.get_ident()
        threading.Timer(0.05, gate.open).start()
        assert asyncio.run(main("block")) != threading.get_ident()

    def test_run_in_thread_waits_for_room_without_blocking_the_loop(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = full_pool(make_executor, gate)
        blocking = treadle.run_in_thread(pow, executor=pool)

        async def main() -> int:
            asyncio.get_running_loop().call_soon(gate.open)
            return await blocking(2, 3)

        assert asyncio.run(main()) == 8

    def test_run_in_executor_drops_what_another_waits_for(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = make_executor(1, max_pending=1, when_full="drop_oldest")
        occupy(pool, gate, 1)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            first = loop.run_in_executor(pool, str, 1)
            second = loop.run_in_executor(pool, str, 2)
            with pytest.raises(asyncio.CancelledError):
                await first
            gate.open()
            assert await second == "2"

        asyncio.run(main())
