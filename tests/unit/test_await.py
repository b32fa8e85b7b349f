"""`await future` on asyncio: done, pending, failed, cancelled, by many and from many loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, in_thread, occupy, throw

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


pytestmark = pytest.mark.ours


def done(value: Any) -> treadle.Future[Any]:
    future = treadle.Future[Any]()
    future.set_result(value)
    return future


async def value_of(awaitable: Any) -> Any:
    return await awaitable


def test_a_done_future_is_awaited_without_a_turn_of_the_loop() -> None:
    async def main() -> list[str]:
        turns: list[str] = []
        asyncio.get_running_loop().call_soon(turns.append, "turn")
        assert [await done(number) for number in range(100)] == list(range(100))
        failed = treadle.Future[Any]()
        failed.set_exception(ValueError("at once"))
        with pytest.raises(ValueError, match="at once"):
            await failed
        return turns[:]

    assert asyncio.run(main()) == []


def test_a_task_is_awaited(executor: ThreadPoolExecutor, gate: Gate) -> None:
    async def main() -> Any:
        future = executor.submit(gate.wait, "awaited")
        asyncio.get_running_loop().call_soon(gate.open)
        return await future

    assert asyncio.run(main()) == "awaited"


def test_many_tasks_are_awaited_together(executor: ThreadPoolExecutor) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(executor.submit(int, number) for number in range(2000)))

    assert asyncio.run(main()) == list(range(2000))


def test_tasks_are_awaited_one_after_the_other(executor: ThreadPoolExecutor) -> None:
    async def main() -> list[int]:
        return [await executor.submit(int, number) for number in range(200)]

    assert asyncio.run(main()) == list(range(200))


def test_an_exception_is_raised_where_it_is_awaited(executor: ThreadPoolExecutor) -> None:
    error = ValueError("awaited")

    async def main() -> None:
        with pytest.raises(ValueError, match="awaited") as caught:
            await executor.submit(throw, error)
        assert caught.value is error

    asyncio.run(main())


@pytest.mark.parametrize("early", [True, False], ids=["before", "during"])
def test_a_cancelled_future_raises_the_cancelled_error_of_asyncio(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, early: bool
) -> None:
    async def main() -> None:
        occupy(executor, gate, workers)
        future = executor.submit(int)
        if early:
            assert future.cancel()
        else:
            asyncio.get_running_loop().call_soon(future.cancel)
        with pytest.raises(asyncio.CancelledError) as caught:
            await future
        assert not isinstance(caught.value, concurrent.futures.CancelledError)

    asyncio.run(main())


@pytest.mark.parametrize("moment", ["running", "done"])
def test_a_stop_iteration_does_not_end_the_coroutine_silently(
    executor: ThreadPoolExecutor, gate: Gate, moment: str
) -> None:
    # What asyncio's own futures raise; it changed within 3.12.
    expected = RuntimeError if sys.version_info >= (3, 13) else (RuntimeError, TypeError)
    future = executor.submit(lambda: (gate.wait(), throw(StopIteration(5))))

    async def main() -> None:
        asyncio.get_running_loop().call_soon(gate.open)
        if moment == "done":
            gate.open()
            assert isinstance(future.exception(), StopIteration)
        with pytest.raises(expected, match="StopIteration interacts badly"):
            await future
        assert isinstance(future.exception(), StopIteration)

    asyncio.run(main())


def test_a_future_may_be_awaited_many_times(executor: ThreadPoolExecutor, gate: Gate) -> None:
    async def main() -> list[Any]:
        future = executor.submit(gate.wait, "shared")
        awaiting = [asyncio.create_task(value_of(future)) for _ in range(10)]
        await asyncio.sleep(0)
        gate.open()
        results = await asyncio.gather(*awaiting)
        return [*results, await future, await future]

    assert asyncio.run(main()) == ["shared"] * 12


def test_a_future_may_be_awaited_from_many_loops(executor: ThreadPoolExecutor, gate: Gate) -> None:
    future = executor.submit(gate.wait, "everywhere")
    loops = [in_thread(lambda: asyncio.run(value_of(future))) for _ in range(6)]
    gate.await_arrivals()
    gate.open()
    assert [loop.get() for loop in loops] == ["everywhere"] * 6
    assert asyncio.run(value_of(future)) == "everywhere"


def test_gather_wait_for_and_shield_take_a_future(executor: ThreadPoolExecutor) -> None:
    async def main() -> None:
        assert await asyncio.gather(executor.submit(int, 1), executor.submit(int, 2)) == [1, 2]
        assert await asyncio.shield(executor.submit(int, 3)) == 3
        assert await asyncio.ensure_future(executor.submit(int, 4)) == 4
        assert await asyncio.wrap_future(executor.submit(int, 5)) == 5
        done_tasks, _ = await asyncio.wait([asyncio.ensure_future(executor.submit(int, 6))])
        assert {task.result() for task in done_tasks} == {6}
        for completed in asyncio.as_completed([value_of(executor.submit(int, 7))]):
            assert await completed == 7

    asyncio.run(main())


def test_a_future_completed_by_the_loop_s_own_thread_wakes_its_awaiter() -> None:
    async def main() -> Any:
        future = treadle.Future[str]()
        asyncio.get_running_loop().call_soon(future.set_result, "own thread")
        return await future

    assert asyncio.run(main()) == "own thread"


def test_an_awaiter_sees_the_context_of_its_own_task(executor: ThreadPoolExecutor) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def set_and_await(value: str) -> str:
        variable.set(value)
        await executor.submit(variable.set, "changed in the worker")
        return variable.get()

    async def main() -> list[str]:
        return await asyncio.gather(*(set_and_await(str(number)) for number in range(20)))

    assert asyncio.run(main()) == [str(number) for number in range(20)]


def test_a_future_outside_a_loop_tells_what_is_wrong() -> None:
    future = treadle.Future[Any]()
    coroutine = value_of(future)
    with pytest.raises(RuntimeError):
        coroutine.send(None)
    coroutine.close()
    finished = value_of(done(5))
    with pytest.raises(StopIteration) as caught:
        finished.send(None)
    assert caught.value.value == 5


def test_a_stream_of_completions_does_not_starve_the_loop(executor: ThreadPoolExecutor) -> None:
    async def main() -> int:
        turns = 0
        finished = False

        def turn() -> None:
            nonlocal turns
            turns += 1
            if not finished:
                asyncio.get_running_loop().call_soon(turn)

        turn()
        await asyncio.gather(*(executor.submit(int) for _ in range(5000)))
        finished = True
        return turns

    assert asyncio.run(main()) > 1


def test_debug_mode_works_too(executor: ThreadPoolExecutor) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(executor.submit(int, number) for number in range(100)))

    assert asyncio.run(main(), debug=True) == list(range(100))


def test_a_subclass_is_awaited(future_type: type[Any]) -> None:
    class Promise(future_type):  # type: ignore[misc]
        """A future of another class."""

    promise = Promise()
    promise.set_result("kept")
    assert asyncio.run(value_of(promise)) == "kept"


def test_the_iterator_of_an_await_is_a_generator_for_all_who_look(
    executor: ThreadPoolExecutor,
) -> None:
    future = executor.submit(int, 9)
    assert future.result(LIMIT) == 9
    iterator = future.__await__()  # type: ignore[attr-defined]
    assert iter(iterator) is iterator
    with pytest.raises(StopIteration) as caught:
        next(iterator)
    assert caught.value.value == 9
    for method in ("send", "throw", "close"):
        assert callable(getattr(iterator, method))
