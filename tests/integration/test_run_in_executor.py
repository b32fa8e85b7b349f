"""`loop.run_in_executor` in unchanged programmes, on every kind of loop, with either library."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.loops import each_loop, loop_factory, run_on
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, in_thread, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.logs import LogRecorder

pytestmark = each_loop


def test_it_gives_a_future_of_the_loop(executor: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(executor, pow, 2, 5)
        assert asyncio.isfuture(future)
        assert future.get_loop() is loop
        assert asyncio.wrap_future(future) is future  # type: ignore[arg-type,comparison-overlap]
        assert await future == 32

    run_on(kind, main())


def test_a_cancelled_awaiter_cancels_what_is_queued(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, kind: str
) -> None:
    ran: list[int] = []

    async def main() -> None:
        occupy(executor, gate, workers)
        loop = asyncio.get_running_loop()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(executor, ran.append, 1), 0.01)
        kept = loop.run_in_executor(executor, ran.append, 2)
        gate.open()
        await kept

    run_on(kind, main())
    assert ran == [2]


def test_a_cancelled_awaiter_lets_go_of_the_arguments(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, kind: str
) -> None:
    class Argument:
        pass

    argument = Argument()
    reference = weakref.ref(argument)

    async def main() -> None:
        nonlocal argument
        occupy(executor, gate, workers)
        future = asyncio.get_running_loop().run_in_executor(executor, id, argument)
        future.cancel()
        await asyncio.wait([future])
        del argument
        gate.open()
        await asyncio.get_running_loop().run_in_executor(executor, int)

    run_on(kind, main())
    assert eventually_dead(reference)


def test_a_shutdown_that_cancels_reaches_the_loop_s_futures(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, kind: str
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        running = [loop.run_in_executor(executor, gate.wait, i) for i in range(workers)]
        gate.await_arrivals(workers)
        queued = [loop.run_in_executor(executor, int) for _ in range(10)]
        executor.shutdown(wait=False, cancel_futures=True)
        for future in queued:
            with pytest.raises(asyncio.CancelledError):
                await future
        gate.open()
        assert await asyncio.gather(*running) == list(range(workers))

    run_on(kind, main())


def test_a_pool_that_breaks_reaches_the_loop_s_futures(
    make_executor: Callable[..., ThreadPoolExecutor], futures_log: LogRecorder, kind: str
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        entered.set()
        go_on.wait(LIMIT)
        message = "no initialization today"
        raise ValueError(message)

    pool = make_executor(1, initializer=fail)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.run_in_executor(pool, int) for _ in range(3)]
        go_on.set()
        for future in futures:
            with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
                await future
        with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
            loop.run_in_executor(pool, int)

    run_on(kind, main())
    assert entered.is_set()
    pool.shutdown()
    assert len(futures_log.take_texts()) == 1


def test_a_pool_that_is_down_refuses_at_once(executor: ThreadPoolExecutor, kind: str) -> None:
    executor.shutdown()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            loop.run_in_executor(executor, int)

    run_on(kind, main())


def test_a_closed_loop_refuses_at_once(executor: ThreadPoolExecutor, kind: str) -> None:
    loop = loop_factory(kind)()
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.run_in_executor(executor, int)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1),
        TimeoutError("x"),
        concurrent.futures.TimeoutError("y"),
        concurrent.futures.CancelledError("z"),
        concurrent.futures.InvalidStateError("i"),
        asyncio.CancelledError("own"),
        asyncio.InvalidStateError("own"),
        KeyError(),
        SystemExit(3),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
@pytest.mark.ours
def test_an_exception_arrives_as_from_the_standard_library(
    executor: ThreadPoolExecutor, kind: str, error: BaseException
) -> None:
    async def raised_by(pool: ThreadPoolExecutor) -> tuple[type[BaseException], Any, bool]:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(pool, throw, error)
        await asyncio.wait([future])
        if future.cancelled():
            return asyncio.CancelledError, (), True
        exception = future.exception()
        assert exception is not None
        return type(exception), exception.args, False

    with concurrent.futures.ThreadPoolExecutor(1) as standard:
        expected = run_on(kind, raised_by(standard))
    assert run_on(kind, raised_by(executor)) == expected


def test_an_exception_that_nobody_awaits_is_reported_once(
    executor: ThreadPoolExecutor, kind: str
) -> None:
    reports: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, report: reports.append(report))
        future = loop.run_in_executor(executor, throw, ValueError("unheard"))
        await asyncio.wait([future])
        del future
        gc.collect()

    run_on(kind, main())
    assert [report["message"] for report in reports] == ["Future exception was never retrieved"]


@pytest.mark.ours  # the standard library's calls see no variables of their caller
def test_the_call_sees_the_variables_of_its_caller(executor: ThreadPoolExecutor, kind: str) -> None:
    variable = contextvars.ContextVar("variable", default="default")

    async def set_and_ask(value: str) -> str:
        variable.set(value)
        return await asyncio.get_running_loop().run_in_executor(executor, variable.get)

    async def main() -> list[str]:
        return await asyncio.gather(*(set_and_ask(str(number)) for number in range(20)))

    assert run_on(kind, main()) == [str(number) for number in range(20)]


def test_a_subclass_may_override_submit(
    make_executor: Callable[..., ThreadPoolExecutor],
    executor_type: type[ThreadPoolExecutor],
    kind: str,
) -> None:
    submitted: list[Any] = []

    class Pool(executor_type):  # type: ignore[misc,valid-type]
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = super().submit(fn, *args, **kwargs)
            assert isinstance(future, concurrent.futures.Future)
            submitted.append(future)
            return future

    pool = make_executor(1, executor_type=Pool)

    async def main() -> None:
        assert await asyncio.get_running_loop().run_in_executor(pool, pow, 2, 5) == 32

    run_on(kind, main())
    assert [future.result() for future in submitted] == [32]


def test_another_thread_may_ask_for_it(executor: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        future = in_thread(loop.run_in_executor, executor, pow, 2, 5).get()
        result: int = await future
        return result

    assert run_on(kind, main()) == 32


def test_loops_in_many_threads_share_a_pool(executor: ThreadPoolExecutor, kind: str) -> None:
    async def main(first: int) -> list[int]:
        loop = asyncio.get_running_loop()
        numbers: list[int] = []
        for _ in range(20):
            numbers += await asyncio.gather(
                *(loop.run_in_executor(executor, int, first + number) for number in range(20))
            )
        return numbers

    runs = [
        in_thread(lambda number=number: run_on(kind, main(100 * number))) for number in range(6)
    ]
    for number, result in enumerate(runs):
        assert result.get() == list(range(100 * number, 100 * number + 20)) * 20


def test_a_loop_is_freed_after_its_end(executor: ThreadPoolExecutor, kind: str) -> None:
    references: list[weakref.ref[Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        references.append(weakref.ref(loop))
        future = loop.run_in_executor(executor, object)
        references.append(weakref.ref(future))
        await future

    run_on(kind, main())
    assert all(eventually_dead(reference) for reference in references)


def test_a_loop_closed_early_frees_its_futures_and_says_nothing(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, kind: str
) -> None:
    loop = loop_factory(kind)()
    occupy(executor, gate, workers)
    futures = [loop.run_in_executor(executor, gate.wait) for _ in range(10)]
    references = [weakref.ref(loop), *map(weakref.ref, futures)]
    loop.close()
    gate.open()
    executor.shutdown()
    del loop, futures
    assert all(eventually_dead(reference) for reference in references)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
def test_eager_tasks_work(executor: ThreadPoolExecutor, kind: str) -> None:
    if kind == "uvloop" and sys.version_info < (3, 14):
        pytest.skip("uvloop gives the factory an argument that it does not know")

    async def ask(number: int) -> int:
        return await asyncio.get_running_loop().run_in_executor(executor, int, number)

    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(
            asyncio.eager_task_factory  # type: ignore[attr-defined]
        )
        return await asyncio.gather(*(ask(number) for number in range(100)))

    assert run_on(kind, main()) == list(range(100))


@pytest.mark.parametrize("debug", [False, True])
def test_a_flood_of_calls_with_random_awaiters_loses_none(
    executor: ThreadPoolExecutor, kind: str, debug: bool
) -> None:
    ran: list[int] = []
    cancelled: set[int] = set()

    async def ask(number: int) -> str:
        future = asyncio.get_running_loop().run_in_executor(executor, ran.append, number)
        if number % 3 == 0 and future.cancel():  # newer versions may have its result already
            cancelled.add(number)
        elif number % 3 == 1:
            await asyncio.shield(future)
        try:
            await future
        except asyncio.CancelledError:
            return "cancelled"
        return "ran"

    async def main() -> list[str]:
        return await asyncio.gather(*(ask(number) for number in range(900)))

    endings = run_on(kind, main(), debug=debug)
    assert [ending == "cancelled" for ending in endings] == [n in cancelled for n in range(900)]
    executor.shutdown()
    assert len(set(ran)) == len(ran)
    assert set(ran) >= set(range(900)) - cancelled
