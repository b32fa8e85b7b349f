"""How views end: for themselves, and after their own tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.processes import run_python
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


def test_the_end_of_a_view_is_its_own(executor: Any, gate: Gate) -> None:
    other = executor.options(name="other")
    with executor.options(name="over") as view:
        future = view.submit(gate.wait, 7)
        gate.open()
    assert future.done()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        view.submit(abs, -1)
    assert other.submit(abs, -1).result(LIMIT) == 1
    assert executor.submit(abs, -1).result(LIMIT) == 1
    view.shutdown()


def test_a_view_waits_for_its_own_tasks_only(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(2)
    occupy(pool, gate, 1)
    view = pool.options(name="view")
    futures = [view.submit(abs, -number) for number in range(20)]
    view.shutdown()
    assert all(future.done() for future in futures)
    gate.open()


def test_a_view_cancels_its_own_tasks_only(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    plain, urgent = pool.options(name="view"), pool.options(priority=-1)
    mine = [view.submit(abs, -1) for view in (plain, urgent) for _ in range(3)]
    others = [pool.submit(abs, -1), pool.options(priority=-1).submit(abs, -1)]
    for view in (plain, urgent):
        view.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in mine)
    gate.open()
    assert [future.result(LIMIT) for future in others] == [1, 1]


def test_a_task_may_wait_for_the_end_of_a_view(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)

    def outer() -> list[int]:
        with pool.options(priority=-1) as view:
            futures = [view.submit(abs, -number) for number in range(3)]
        return [future.result() for future in futures]

    assert pool.submit(outer).result(LIMIT) == [0, 1, 2]


def test_waiting_for_a_view_ends_with_its_last_task(executor: Any, gate: Gate) -> None:
    view = executor.options(name="view")
    future = view.submit(gate.wait, 7)
    waiting = in_thread(view.shutdown)
    gate.open()
    waiting.get()
    assert future.done()
    gone = executor.options(name="gone")
    gone.submit(abs, -1).cancel()
    gone.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_view_ends_in_the_child_of_a_fork() -> None:
    """There nobody runs what was queued; what was over before is not counted twice."""
    output = run_python(
        "import os, threading, warnings, treadle\n",
        """
        warnings.simplefilter("ignore")
        pool = treadle.ThreadPoolExecutor(1)
        view = pool.options(name="view")
        started, gate = threading.Event(), threading.Event()
        view.submit(lambda: (started.set(), gate.wait()))
        started.wait()
        view.submit(int).cancel()
        view.submit(int)
        if os.fork() == 0:
            ending = threading.Thread(target=view.shutdown, daemon=True)
            ending.start()
            ending.join(20)
            print("hangs" if ending.is_alive() else "ends", flush=True)
            os._exit(0)
        os.wait()
        gate.set()
        view.shutdown()
        print("ends")
        """,
    )
    assert output == "ends\n" * 2


def test_a_view_of_a_closed_pool_refuses(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    view = pool.options(priority=1)
    timed = pool.options(deadline=LIMIT)
    pool.shutdown()
    for each in (view, timed):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            each.submit(abs, -1)
        each.shutdown()


def test_the_statistics_of_a_view_are_those_of_its_pool(executor: Any) -> None:
    view = executor.options(name="view")
    executor.submit(abs, -1).result(LIMIT)
    view.submit(abs, -1).result(LIMIT)
    assert view.statistics().submitted == 2
    assert view.statistics().max_workers == executor.statistics().max_workers


def test_the_wait_for_a_view_may_have_a_limit(executor: Any, gate: Gate) -> None:
    view = executor.options(name="view")
    future = view.submit(gate.wait, 7)
    for timeout in (0, 0.01):
        with pytest.raises(treadle.errors.ShutdownTimeout, match=f"ended after {timeout} seconds"):
            view.shutdown(timeout=timeout)
    gate.open()
    view.shutdown(timeout=LIMIT)
    assert future.done()
    for timeout in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout must be a finite number of seconds >= 0"):
            view.shutdown(timeout=timeout)
    with pytest.raises(TypeError, match="timeout must be a finite number"):
        view.shutdown(timeout="1")
    with pytest.raises(ValueError, match="waits for nothing"):
        view.shutdown(wait=False, timeout=1)


def test_a_view_ends_without_blocking_the_loop(executor: Any, gate: Gate) -> None:
    async def main() -> list[Any]:
        async with executor.options(name="view") as view:
            future = view.submit(gate.wait, 7)
            asyncio.get_running_loop().call_later(0.01, gate.open)
        assert future.done()
        await view.aclose()
        with pytest.raises(RuntimeError, match="after shutdown"):
            view.submit(abs, -1)
        closed = Gate()
        other = executor.options(name="other")
        future = other.submit(closed.wait, 8)
        with pytest.raises(treadle.errors.ShutdownTimeout):
            await other.aclose(timeout=0.01)
        with pytest.raises(ValueError, match="timeout must be a finite number"):
            await other.aclose(timeout=-1)
        closed.open()
        await other.aclose(timeout=LIMIT)
        return [future.result(0), await executor.submit(abs, -1)]

    assert asyncio.run(main()) == [8, 1]


def test_a_loop_in_a_task_waits_for_the_end_of_a_view(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)

    async def main() -> list[Any]:
        async with pool.options(name="view") as view:
            futures = [view.submit(abs, -number) for number in range(3)]
        return [future.result(0) for future in futures]

    assert pool.submit(asyncio.run, main()).result(LIMIT) == [0, 1, 2]


def test_a_task_cannot_wait_for_the_end_of_its_own_view(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    view = pool.options(name="view")

    def waits_for_itself() -> None:
        with pytest.raises(RuntimeError, match="cannot wait for its end: call shutdown"):
            view.shutdown()
        with pytest.raises(RuntimeError, match="cannot wait for its end: call shutdown"):
            asyncio.run(view.aclose())

    def outer() -> None:
        pool.submit(waits_for_itself).result()

    view.submit(waits_for_itself).result(LIMIT)
    # The end of a view has begun with the first attempt.
    view = pool.options(name="another")
    view.submit(outer).result(LIMIT)  # beneath it on the stack
    view = pool.options(name="a third")
    ended = threading.Event()
    called_back = view.submit(abs, -1)
    called_back.add_done_callback(lambda _: (view.shutdown(), ended.set()))
    assert ended.wait(LIMIT)


def test_a_task_that_its_submitter_runs_cannot_wait_for_its_own_view(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1, max_pending=1, when_full="run")
    occupy(pool, gate, 1)
    waiting = pool.submit(abs, -1)
    view = pool.options(name="view")
    with pytest.raises(RuntimeError, match="cannot wait for its end"):
        view.submit(view.shutdown).result(0)
    gate.open()
    assert waiting.result(LIMIT) == 1


@pytest.mark.parametrize("ends", ["view", "pool"])
def test_an_unread_iteration_does_not_keep_a_shutdown_waiting(
    make_executor: Callable[..., Any], ends: str
) -> None:
    pool = make_executor(2)
    view = pool.options(name="view")
    iteration = view.iterate(range, 10**6)
    other = pool.options(name="nobody keeps it").iterate(range, 10**6)
    assert (next(iteration), next(other)) == (0, 0)
    if ends == "view":
        view.shutdown()
        assert next(other) == 1
        other.close()
    else:
        pool.shutdown()
    with pytest.raises(concurrent.futures.CancelledError):
        list(iteration)


def test_a_view_and_a_context_that_keep_each_other_are_collected() -> None:
    class Pool(treadle.ThreadPoolExecutor):
        pass

    kept: contextvars.ContextVar[Any] = contextvars.ContextVar("kept")

    def make() -> list[Any]:
        pool, context = Pool(1), contextvars.copy_context()
        view = pool.options(context=context)
        context.run(kept.set, view)
        view.submit(abs, -1).result(LIMIT)
        pool.attribute = pool.options(name="of its own")  # type: ignore[attr-defined]
        return [weakref.ref(view), weakref.ref(pool)]

    assert all(eventually_dead(reference) for reference in make())
