"""asyncio's own functions on a pool: unchanged programmes, with either library."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, eventually, in_thread, occupy, throw

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


def test_run_in_executor_gives_results_and_exceptions(executor: ThreadPoolExecutor) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, pow, 2, 5) == 32
        assert await loop.run_in_executor(executor, functools.partial(int, "11", base=2)) == 3
        with pytest.raises(ValueError, match="in the worker"):
            await loop.run_in_executor(executor, throw, ValueError("in the worker"))
        future = loop.run_in_executor(executor, int)
        assert asyncio.isfuture(future)
        assert await future == 0

    asyncio.run(main())


def test_run_in_executor_works_for_very_many(executor: ThreadPoolExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(executor, int, number) for number in range(2000))
        )

    assert asyncio.run(main()) == list(range(2000))


@pytest.mark.parametrize("debug", [False, True])
def test_cancelling_an_awaited_call_cancels_it_while_it_is_queued(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, debug: bool
) -> None:
    ran: list[int] = []

    async def main() -> None:
        occupy(executor, gate, workers)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(executor, ran.append, 1)
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        waiting = asyncio.ensure_future(asyncio.wait_for(asyncio.shield(future), LIMIT))
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.open()
        await loop.run_in_executor(executor, int)

    asyncio.run(main(), debug=debug)
    executor.shutdown()
    assert ran == []


def test_cancelling_an_awaited_call_leaves_it_running(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    ended = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(executor, lambda: (gate.wait(), ended.set()))
        gate.await_arrivals()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())
    gate.open()
    assert ended.wait(LIMIT)


def test_a_pool_may_be_the_default_one(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    async def main() -> set[str]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor_type(workers, "default"))
        names = [asyncio.to_thread(lambda: threading.current_thread().name) for _ in range(20)]
        names += [loop.run_in_executor(None, lambda: threading.current_thread().name)]
        return set(await asyncio.gather(*names))

    names = asyncio.run(main())
    assert all(name.startswith("default_") for name in names)
    assert eventually(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("default_")]
    )


def test_the_end_of_the_loop_waits_for_the_default_pool(
    executor_type: type[ThreadPoolExecutor], gate: Gate
) -> None:
    ended: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor_type(1))
        loop.run_in_executor(None, lambda: (gate.wait(), ended.append(1))).add_done_callback(
            lambda future: future.cancelled() or future.exception()
        )
        gate.await_arrivals()
        loop.call_soon(gate.open)

    asyncio.run(main())
    assert ended == [1]


def test_to_thread_passes_the_context(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def main() -> str:
        asyncio.get_running_loop().set_default_executor(executor_type(workers))
        variable.set("passed")
        return await asyncio.to_thread(variable.get)

    assert asyncio.run(main()) == "passed"


def test_a_future_is_wrapped_for_asyncio(executor: ThreadPoolExecutor, gate: Gate) -> None:
    async def main() -> None:
        future = executor.submit(gate.wait, "wrapped")
        gate.await_arrivals()
        wrapped = asyncio.wrap_future(future)
        assert wrapped is not future
        gate.open()
        assert await wrapped == "wrapped"
        assert await asyncio.wrap_future(future) == "wrapped"

    asyncio.run(main())


def test_a_wrapped_future_is_cancelled_both_ways(future_type: type[Future[Any]]) -> None:
    async def main() -> None:
        future = future_type()
        wrapped = asyncio.wrap_future(future)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wrapped
        future = future_type()
        wrapped = asyncio.wrap_future(future)
        wrapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wrapped
        await asyncio.sleep(0)  # the loop passes it on in its next turn
        assert future.cancelled()

    asyncio.run(main())


def test_a_coroutine_is_run_from_a_task(executor: ThreadPoolExecutor) -> None:
    async def inner(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()

        def task(number: int) -> int:
            return asyncio.run_coroutine_threadsafe(inner(number), loop).result(LIMIT)

        return await asyncio.gather(
            *(loop.run_in_executor(executor, task, number) for number in range(50))
        )

    assert asyncio.run(main()) == list(range(50))


def test_several_loops_share_a_pool(executor: ThreadPoolExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(executor, int, number) for number in range(200))
        )

    loops = [in_thread(lambda: asyncio.run(main())) for _ in range(4)]
    assert [loop.get() for loop in loops] == [list(range(200))] * 4


def test_a_pool_that_is_down_refuses_calls(executor: ThreadPoolExecutor) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
            asyncio.get_running_loop().run_in_executor(executor, int)

    executor.shutdown()
    asyncio.run(main())


def test_a_loop_closed_before_its_calls_end_does_no_harm(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    loop = asyncio.new_event_loop()
    futures = [loop.run_in_executor(executor, gate.wait) for _ in range(2 * workers)]
    gate.await_arrivals(workers)
    loop.close()
    gate.open()
    assert executor.submit(int, 4).result(LIMIT) == 4
    executor.shutdown()
    assert not any(future.done() for future in futures)


def test_futures_of_both_worlds_are_waited_for(executor: ThreadPoolExecutor) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(executor, int, number) for number in range(10)]
        done, pending = await asyncio.wait(calls, timeout=LIMIT)
        assert not pending
        assert {future.result() for future in done} == set(range(10))
        results = [
            await future
            for future in asyncio.as_completed(
                [loop.run_in_executor(executor, int, number) for number in range(10)]
            )
        ]
        assert sorted(results) == list(range(10))

    asyncio.run(main())
    with concurrent.futures.ThreadPoolExecutor(1) as standard:
        assert standard.submit(executor.submit, int, 3).result(LIMIT).result(LIMIT) == 3
