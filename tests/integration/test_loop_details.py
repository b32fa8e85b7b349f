"""Completions on their way into a loop: who is told first, and what must not get lost."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.loops import each_loop, loop_factory, run_on
from support.processes import INTERRUPT_WHEN_ASLEEP
from support.waiting import LIMIT, Gate

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


@each_loop
@pytest.mark.parametrize("how", ["await", "wrap_future"])
def test_awaiters_are_woken_in_the_order_in_which_they_came(
    executor: ThreadPoolExecutor, gate: Gate, kind: str, how: str
) -> None:
    woken: list[int] = []
    future: Any = executor.submit(gate.wait)
    if how == "await" and not isinstance(future, treadle.Future):
        pytest.skip("standard futures cannot be awaited")

    async def wait(number: int) -> None:
        await (future if how == "await" else asyncio.wrap_future(future))
        woken.append(number)

    async def main() -> None:
        tasks = [asyncio.ensure_future(wait(number)) for number in range(10)]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*tasks)

    run_on(kind, main())
    assert woken == list(range(10))


@each_loop
def test_a_callback_that_came_first_is_called_first(
    executor: ThreadPoolExecutor, gate: Gate, kind: str
) -> None:
    called = threading.Event()
    future = executor.submit(gate.wait)

    def call_back(_: Future[Any]) -> None:
        threading.Event().wait(0.01)  # lets the loop go on, if it can
        called.set()

    future.add_done_callback(call_back)

    async def main() -> bool:
        wrapped = asyncio.wrap_future(future)
        gate.open()
        await wrapped
        return called.is_set()

    assert run_on(kind, main())


@pytest.mark.ours
@each_loop
def test_sleeping_often_for_a_request_leaves_one_callback(
    executor: ThreadPoolExecutor, kind: str
) -> None:
    enough = threading.Event()

    def call() -> None:
        task = treadle.current_task()
        assert task is not None
        for _ in range(100):
            assert not task.wait_cancelled(0)
        enough.set()
        task.wait_cancelled(LIMIT)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(executor, call)
        added: list[Any] = []
        loop.call_soon_threadsafe(added.append, None)
        await asyncio.to_thread(enough.wait, LIMIT)
        assert len(future._callbacks or []) <= 1
        future.cancel()
        await asyncio.wait([future])

    run_on(kind, main())


@pytest.mark.ours
def test_an_interrupted_drain_loses_no_completion(run_child: Callable[..., str]) -> None:
    """The loop's thread waits for a future's condition when the signal comes."""
    output = run_child(
        "import asyncio\n"
        + INTERRUPT_WHEN_ASLEEP
        + """
pool = ThreadPoolExecutor(1)
loop = asyncio.new_event_loop()
go_on = threading.Event()
future = pool.submit(go_on.wait)
condition = future._condition
held, let_go = threading.Event(), threading.Event()
async def wait_for_it():
    return await asyncio.wrap_future(future)
task = loop.create_task(wait_for_it())
loop.run_until_complete(asyncio.sleep(0))
def hold():
    future.result()
    with condition:
        held.set()
        let_go.wait()
holder = threading.Thread(target=hold)
holder.start()
go_on.set()
held.wait()  # the completion is on its way, and its future cannot be read
send_when_main_sleeps()
try:
    loop.run_until_complete(task)
except KeyboardInterrupt:
    print("interrupted")
let_go.set()
holder.join()
print(loop.run_until_complete(asyncio.wait_for(task, 20)))
loop.close()
pool.shutdown()
"""
    )
    assert output.split() == ["interrupted", "True"]


@pytest.mark.ours
def test_a_module_that_may_not_be_imported_does_not_matter(run_child: Callable[..., str]) -> None:
    output = run_child("""
        import asyncio
        sys.modules["trio"] = None
        async def main():
            with ThreadPoolExecutor(1) as pool:
                print(await pool.submit(pow, 2, 5))
                try:
                    await pool.submit(int, "x")
                except ValueError:
                    print("as ever")
        asyncio.run(main())
    """)
    assert output == "32\nas ever\n"


@pytest.mark.ours
def test_a_loop_that_cannot_be_asked_once_is_asked_again(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    failures: list[Any] = []
    loop = loop_factory("asyncio")()
    ask = loop.call_soon_threadsafe

    def fail_once(*args: Any, **options: Any) -> Any:
        if not failures:
            failures.append(MemoryError())
            raise failures[0]
        return ask(*args, **options)

    loop.call_soon_threadsafe = fail_once  # type: ignore[method-assign]
    hook, sys.unraisablehook = sys.unraisablehook, lambda report: failures.append(report.exc_value)

    async def main() -> list[int]:
        first, second = (asyncio.ensure_future(value(number)) for number in range(2))
        await asyncio.sleep(0)
        gate.open()
        return await asyncio.wait_for(asyncio.gather(first, second), LIMIT)

    async def value(number: int) -> int:
        result: int = await executor.submit(gate.wait, number)  # type: ignore[misc]
        return result

    try:
        assert loop.run_until_complete(main()) == [0, 1]
    finally:
        sys.unraisablehook = hook
        loop.close()
    assert len(failures) == 2
    assert failures[0] is failures[1]


@pytest.mark.ours
def test_an_exception_that_asyncio_renames_keeps_its_traceback(
    executor: ThreadPoolExecutor,
) -> None:
    def where_it_is_raised() -> None:
        raise concurrent.futures.InvalidStateError

    async def main() -> list[str]:
        try:
            await asyncio.get_running_loop().run_in_executor(executor, where_it_is_raised)
        except asyncio.InvalidStateError as error:
            return [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        return []

    assert "where_it_is_raised" in asyncio.run(main())


@pytest.mark.ours
def test_a_fork_in_a_task_that_has_waited_leaves_the_pool_its_workers(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        import concurrent.futures
        pool = ThreadPoolExecutor(1)
        def use():
            time.sleep(0.05)  # the forking task has ended by then
            os.write(1, b"%d" % pool.submit(pow, 2, 5).result(20))
            os._exit(0)
        def task():
            future = pool.submit(int)
            concurrent.futures.wait([future], timeout=0.01)
            process = os.fork()
            if process == 0:
                signal.alarm(25)
                threading.Thread(target=use).start()
                return
            os.waitpid(process, 0)
        pool.submit(task).result()
    """)
    assert output == "32"
