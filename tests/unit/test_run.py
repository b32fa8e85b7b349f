"""`treadle.run`: `asyncio.run` with a default executor of ours, on every Python."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import Any

import pytest

import treadle
from support.outcomes import outcome
from support.processes import INTERRUPT_WHEN_ASLEEP, run_python
from support.waiting import Gate, throw

pytestmark = pytest.mark.ours


async def thread_name() -> str:
    return await asyncio.to_thread(lambda: threading.current_thread().name)


def test_the_default_executor_is_native() -> None:
    async def main() -> tuple[Any, str]:
        name = await thread_name()
        return asyncio.get_running_loop()._default_executor, name  # type: ignore[attr-defined]

    executor, name = treadle.run(main(), max_workers=3)

    assert type(executor) is treadle.ThreadPoolExecutor
    assert executor._max_workers == 3
    assert name == "asyncio_0"


def test_the_default_executor_is_shut_down_at_the_end(gate: Gate) -> None:
    ended: list[int] = []

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, lambda: (gate.wait(), ended.append(1))).add_done_callback(
            lambda future: future.cancelled() or future.exception()
        )
        gate.await_arrivals()
        loop.call_soon(gate.open)
        return loop._default_executor  # type: ignore[attr-defined]

    executor = treadle.run(main())

    assert ended == [1]
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(int)


def test_results_and_exceptions_are_those_of_the_coroutine() -> None:
    async def main(error: BaseException | None = None) -> int:
        if error is not None:
            raise error
        return 4

    for run in (treadle.run, asyncio.run):
        assert outcome(run, main()) == ("gave", 4)
        assert outcome(run, main(ValueError("text"))) == ("raised", ValueError, "text")
        assert outcome(run, main(SystemExit(3))) == ("raised", SystemExit, "3")
        assert outcome(run, main(asyncio.CancelledError()))[1] is asyncio.CancelledError


@pytest.mark.parametrize("debug", [None, False, True])
def test_the_loop_may_run_in_debug_mode(debug: bool | None) -> None:
    async def main() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert treadle.run(main(), debug=debug) is bool(debug)


def test_the_loop_comes_from_the_factory_and_is_closed() -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    async def main() -> str:
        assert asyncio.get_running_loop() is made[0]
        return await thread_name()

    assert treadle.run(main(), loop_factory=factory) == "asyncio_0"
    assert made[0].is_closed()


def test_what_is_left_in_the_loop_is_cancelled_and_closed() -> None:
    events: list[str] = []

    async def left() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    async def generator() -> Any:
        try:
            yield 1
        finally:
            events.append("closed")

    async def main() -> Any:
        task = asyncio.ensure_future(left())
        iterator = generator()
        await iterator.__anext__()
        return task, iterator

    treadle.run(main())

    assert events == ["cancelled", "closed"]


def test_tasks_that_fail_at_the_end_are_told_to_the_loop() -> None:
    told: list[Any] = []

    async def left() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            throw(ValueError("at the end"))

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        task = asyncio.ensure_future(left())
        await asyncio.sleep(0)
        return task

    treadle.run(main())

    assert [str(context["exception"]) for context in told] == ["at the end"]
    assert told[0]["message"] == "unhandled exception during asyncio.run() shutdown"


def test_what_is_no_coroutine_is_refused_as_ever() -> None:
    for wrong in (3, thread_name):
        assert outcome(treadle.run, wrong) == outcome(asyncio.run, wrong)


def test_a_wrong_number_of_workers_leaves_no_loop_behind() -> None:
    main = thread_name()
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        treadle.run(main, max_workers=0)
    main.close()


def test_it_refuses_to_run_inside_a_loop() -> None:
    async def main() -> None:
        inner = thread_name()
        with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
            treadle.run(inner)
        inner.close()
        await thread_name()

    treadle.run(main())


def test_it_runs_many_times_in_several_threads() -> None:
    def repeat() -> None:
        names.extend(treadle.run(thread_name()) for _ in range(5))

    names: list[str] = []
    threads = [threading.Thread(target=repeat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert names == ["asyncio_0"] * 20


def test_nothing_is_left_to_warn_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        treadle.run(thread_name())
        gc.collect()


def test_an_interrupt_ends_the_coroutine_and_the_run() -> None:
    output = run_python(
        "import asyncio, os, signal, sys, threading, time, treadle\n" + INTERRUPT_WHEN_ASLEEP,
        """
        async def main():
            await asyncio.to_thread(int)
            send_when_main_sleeps()
            try:
                await asyncio.sleep(1000)
            finally:
                print("cleaned up")

        try:
            treadle.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """,
    )
    assert output == "cleaned up\ninterrupted\n"
