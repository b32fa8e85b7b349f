"""`await future` on trio, and on anyio with either of its backends."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import run_python
from support.waiting import Gate, in_thread, occupy, throw

anyio = pytest.importorskip("anyio")
trio = pytest.importorskip("trio")

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.ours

each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@each_backend
def test_a_task_is_awaited(executor: ThreadPoolExecutor, gate: Gate, backend: str) -> None:
    async def main() -> None:
        assert await executor.submit(pow, 2, 5) == 32
        with pytest.raises(ValueError, match="in the worker"):
            await executor.submit(throw, ValueError("in the worker"))
        future = executor.submit(gate.wait, 7)
        gate.open()
        assert await future == 7
        assert await future == 7

    anyio.run(main, backend=backend)


@each_backend
def test_many_tasks_are_awaited_by_many_tasks(executor: ThreadPoolExecutor, backend: str) -> None:
    results: list[int] = []

    async def ask(number: int) -> None:
        results.append(await executor.submit(int, number))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(500):
                group.start_soon(ask, number)

    anyio.run(main, backend=backend)
    assert sorted(results) == list(range(500))


@each_backend
def test_a_future_has_several_awaiters(
    executor: ThreadPoolExecutor, gate: Gate, backend: str
) -> None:
    future = executor.submit(gate.wait, 7)
    results: list[int] = []

    async def ask() -> None:
        results.append(await future)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
            await anyio.sleep(0)
            gate.open()

    anyio.run(main, backend=backend)
    assert results == [7] * 5


@each_backend
def test_a_cancelled_awaiter_cancels_a_queued_task(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, backend: str
) -> None:
    async def main() -> None:
        occupy(executor, gate, workers)
        queued = executor.submit(int)
        with anyio.move_on_after(0.01) as scope:
            await queued
        assert scope.cancel_called
        assert queued.cancelled()

    anyio.run(main, backend=backend)


@each_backend
def test_a_cancelled_awaiter_leaves_a_running_task_to_its_thread(
    executor: ThreadPoolExecutor, gate: Gate, backend: str
) -> None:
    running = executor.submit(gate.wait, 7)
    gate.await_arrivals()

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await running
        assert running.running()
        gate.open()
        assert await running == 7

    anyio.run(main, backend=backend)


@each_backend
def test_a_cancelled_scope_does_not_stop_a_done_future(
    executor: ThreadPoolExecutor, backend: str
) -> None:
    done = executor.submit(int, 7)
    concurrent.futures.wait([done])

    async def main() -> int:
        with anyio.CancelScope() as scope:
            scope.cancel()
            return await done
        return 0

    assert anyio.run(main, backend=backend) == 7


def test_a_cancelled_future_raises_the_standard_error_on_trio(future_type: type[Any]) -> None:
    """trio's own cannot be raised by anybody else."""
    future = future_type()
    future.cancel()

    async def main() -> None:
        with pytest.raises(concurrent.futures.CancelledError):
            await future

    trio.run(main)


def test_a_future_cancelled_while_it_is_awaited_raises_the_standard_error_on_trio(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = executor.submit(int)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            with pytest.raises(concurrent.futures.CancelledError):
                await queued

    async def cancel() -> None:
        queued.cancel()

    trio.run(main)


def test_trio_runs_in_two_threads_and_asyncio_in_a_third(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    future = executor.submit(gate.wait, 7)
    begun = threading.Barrier(4)

    async def main() -> int:
        begun.wait()
        return await future

    runs = [
        in_thread(lambda backend=backend: anyio.run(main, backend=backend))
        for backend in ("trio", "trio", "asyncio")
    ]
    begun.wait()
    gate.open()
    assert [run.get() for run in runs] == [7] * 3


def test_a_run_that_is_over_before_the_future_does_no_harm(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    running = executor.submit(gate.wait, 7)
    gate.await_arrivals()

    async def main() -> None:
        with trio.move_on_after(0.01):
            await running

    trio.run(main)
    gate.open()
    assert running.result() == 7


def test_nothing_is_imported_that_does_not_run(run_child: Callable[..., str]) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(1)
        def loaded():
            return sorted({"asyncio", "trio", "anyio", "uvloop", "sniffio"} & set(sys.modules))
        print(loaded())
        iterator = pool.submit(int).__await__()
        wait([pool.submit(int)])
        try:
            iterator.send(None)
        except StopIteration as stop:
            print(stop.value, loaded())
        iterator = pool.submit(time.sleep, 0.001).__await__()
        try:
            iterator.throw(ValueError("x"))
        except ValueError as error:
            print(error, loaded())
    """)
    assert output.split("\n") == ["[]", "0 []", "x []", ""]


def test_trio_needs_no_asyncio() -> None:
    output = run_python(
        "import sys\nfrom treadle import ThreadPoolExecutor, Future\nimport trio\n",
        """
        before = "asyncio" in sys.modules
        async def main():
            with ThreadPoolExecutor(2) as pool:
                print(await pool.submit(pow, 2, 5))
                try:
                    await pool.submit(int, "x")
                except ValueError as error:
                    print(type(error).__name__)
        trio.run(main)
        print(("asyncio" in sys.modules) == before)
        """,
    )
    assert output.split() == ["32", "ValueError", "True"]
