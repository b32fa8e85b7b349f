"""`AsyncThreadExecutor`: awaited calls, time limits, what they abandon, and its end."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.references import Thing, eventually_dead
from support.streams import AsyncSource
from support.tidy_loops import LOOPS, run_on
from support.waiting import Gate, eventually, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.ours, pytest.mark.worker_counts(1, 2, 8)]


@pytest.fixture
def executor(workers: int, gate: Gate) -> Iterator[treadle.AsyncThreadExecutor[Any]]:
    """An executor of `workers` workers, whose threads are gone in the end."""
    made = treadle.AsyncThreadExecutor[Any](workers, "async-of-tests")
    yield made
    gate.open()
    made.shutdown(wait=True)
    assert not [t for t in threading.enumerate() if t.name.startswith("async-of-tests")]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine on a loop that must have no task left in the end."""
    return lambda main: run_on(request.param, main)


async def fill(
    executor: treadle.AsyncThreadExecutor[Any], gate: Gate, workers: int
) -> list[asyncio.Task[Any]]:
    """Makes every worker wait at the gate."""
    tasks = [asyncio.create_task(executor.run(gate.wait)) for _ in range(workers)]
    await asyncio.sleep(0)
    gate.await_arrivals(workers)
    return tasks


def test_run_gives_results_and_exceptions(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        assert await executor.run(pow, 2, 10) == 1024
        assert await executor.run(pow, 2, 10, timeout=30) == 1024
        for timeout in (None, 30):
            with pytest.raises(LookupError, match="raised"):
                await executor.run(throw, LookupError("raised"), timeout=timeout)
        assert await asyncio.gather(*(executor.run(int, n) for n in range(500))) == [*range(500)]
        assert executor.statistics().abandoned == 0

    run(main())


def test_when_the_time_is_up_a_running_call_is_abandoned(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], gate: Gate
) -> None:
    async def standard() -> type[BaseException]:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except BaseException as error:
            return type(error)
        return object  # type: ignore[return-value]

    async def main() -> None:
        assert executor.statistics().abandoned == 0
        running = asyncio.create_task(executor.run(gate.wait, timeout=0.02))
        await asyncio.sleep(0)
        gate.await_arrivals()  # the loop stands still: its clock is looked at when the call runs
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await running
        assert type(caught.value) is await standard()
        assert executor.statistics().abandoned == 1
        gate.open()
        assert eventually(lambda: executor.statistics().abandoned == 0)

    run(main())


def test_when_the_time_is_up_a_queued_call_never_runs(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], gate: Gate, workers: int
) -> None:
    ran: list[int] = []

    async def main() -> None:
        blocked = await fill(executor, gate, workers)
        with pytest.raises(asyncio.TimeoutError):
            await executor.run(ran.append, 1, timeout=0.02)
        assert executor.statistics().abandoned == 0
        gate.open()
        await asyncio.gather(*blocked)

    run(main())
    executor.shutdown(wait=True)
    assert ran == []


@pytest.mark.parametrize("timeout", [None, 30])
def test_a_cancelled_run_cancels_or_abandons(
    executor: treadle.AsyncThreadExecutor[Any],
    run: Callable[..., Any],
    gate: Gate,
    workers: int,
    timeout: float | None,
) -> None:
    ran: list[int] = []

    async def main() -> None:
        blocked = await fill(executor, gate, workers)
        queued = asyncio.create_task(executor.run(ran.append, 1, timeout=timeout))
        await asyncio.sleep(0)
        for task in (queued, *blocked):
            task.cancel()
        ends = await asyncio.gather(queued, *blocked, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}
        assert executor.statistics().abandoned == workers
        gate.open()
        assert eventually(lambda: executor.statistics().abandoned == 0)

    run(main())
    executor.shutdown(wait=True)
    assert ran == []


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan")])
def test_a_time_that_cannot_be_is_refused_before_anything_is_queued(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], wrong: float
) -> None:
    ran: list[int] = []

    async def main() -> None:
        with pytest.raises(ValueError, match=f"positive, finite number of seconds.*not {wrong}"):
            await executor.run(ran.append, 1, timeout=wrong)
        for nonsense in ("1", [], True):
            with pytest.raises(TypeError, match="positive, finite number of seconds"):
                await executor.run(ran.append, 1, timeout=nonsense)  # type: ignore[arg-type]
        await executor.run(int)
        assert ran == []

    run(main())


def test_map_gives_a_list_in_order(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        assert await executor.map(str, range(300)) == [str(number) for number in range(300)]
        assert await executor.map(str, []) == []
        assert await executor.map(str, (n for n in range(3))) == ["0", "1", "2"]

    run(main())


def test_the_first_failure_of_map_cancels_the_rest_at_once(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], gate: Gate, workers: int
) -> None:
    ran: list[int] = []

    def task(number: int) -> None:
        if number == workers - 1:  # the last worker's first call; the others wait
            if workers > 1:
                gate.await_arrivals(workers - 1)
            throw(LookupError("failed"))
        ran.append(number)
        gate.wait()

    async def main() -> None:
        with pytest.raises(LookupError, match="failed"):
            await executor.map(task, range(1000))
        gate.open()

    run(main())
    executor.shutdown(wait=True)
    assert len(ran) < 1000


def test_a_cancelled_map_cancels_what_is_queued(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], gate: Gate, workers: int
) -> None:
    ran: list[int] = []

    def task(number: int) -> None:
        ran.append(number)
        gate.wait()

    async def main() -> None:
        mapping = asyncio.create_task(executor.map(task, range(100)))
        await asyncio.sleep(0)
        gate.await_arrivals(workers)
        mapping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mapping
        assert executor.statistics().abandoned == workers

    run(main())
    gate.open()
    executor.shutdown(wait=True)
    assert len(ran) == workers


def test_stream_is_that_of_the_pool(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        stream = executor.stream(str, AsyncSource(range(50)), concurrency=3, ordered=False)
        assert sorted([r async for r in stream], key=int) == [str(n) for n in range(50)]

    run(main())


async def coroutine_function() -> None: ...


def test_coroutine_functions_are_refused(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        match = "is a coroutine function: await its call itself"
        with pytest.raises(TypeError, match=match):
            await executor.run(coroutine_function)
        with pytest.raises(TypeError, match=match):
            await executor.map(coroutine_function, [1])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=match):
            executor.stream(coroutine_function, [1])  # type: ignore[arg-type]

    run(main())


def test_statistics_count_workers_and_calls(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any], gate: Gate, workers: int
) -> None:
    async def main() -> None:
        blocked = await fill(executor, gate, workers)
        queued = asyncio.create_task(executor.map(int, range(7)))
        await asyncio.sleep(0)
        seen = executor.statistics()
        assert (seen.max_workers, seen.workers, seen.idle) == (workers, workers, 0)
        assert (seen.pending, seen.running, seen.abandoned) == (7, workers, 0)
        gate.open()
        await asyncio.gather(queued, *blocked)
        assert executor.statistics().completed == workers + 7
        assert eventually(lambda: executor.statistics().idle == workers)

    run(main())


def test_a_closed_executor_takes_nothing(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            await executor.run(int)
        with pytest.raises(RuntimeError, match="after shutdown"):
            await executor.map(int, [1])
        await executor.aclose()

    run(main())


def test_results_and_errors_are_not_kept(
    executor: treadle.AsyncThreadExecutor[Any], run: Callable[..., Any]
) -> None:
    def fail(_: Any) -> None:
        raise LookupError

    async def main() -> None:
        for timeout in (None, 30):
            reference = weakref.ref(await executor.run(Thing, timeout=timeout))
            await asyncio.sleep(0)  # the step that a result woke holds it to its end
            assert eventually_dead(reference)
            thing = Thing()
            reference = weakref.ref(thing)
            with pytest.raises(LookupError):
                await executor.run(fail, thing, timeout=timeout)
            with pytest.raises(LookupError):
                await executor.map(fail, [thing])
            del thing
            await asyncio.sleep(0)
            assert eventually_dead(reference)

    run(main())
