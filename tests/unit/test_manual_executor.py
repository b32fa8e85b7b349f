"""`ManualExecutor`: tasks and time move when they are told to, and show what else is chance."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import re
import threading
from typing import Any

import pytest

import treadle
from support.waiting import LIMIT, in_thread, throw
from treadle.errors import DeadlineExceeded
from treadle.testing import ManualExecutor

pytestmark = pytest.mark.ours

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_nothing_runs_before_it_is_told_to() -> None:
    pool = ManualExecutor()
    ran: list[int] = []
    futures = [pool.submit(ran.append, number) for number in range(3)]
    assert (pool.pending, ran) == (3, [])
    assert pool.run_one()
    assert (pool.pending, ran) == (2, [0])
    assert [future.done() for future in futures] == [True, False, False]
    assert pool.run_all() == 2
    assert (pool.pending, ran) == (0, [0, 1, 2])
    assert not pool.run_one()
    assert pool.run_all() == 0


def test_no_thread_is_ever_started() -> None:
    before = threading.active_count()
    pool = ManualExecutor()
    outer = pool.submit(lambda: pool.submit(threading.get_ident).result())
    standard = pool.submit(lambda: concurrent.futures.wait([pool.submit(int)], 0).done)
    pool.run_all()
    assert outer.result() == threading.get_ident()
    assert standard.result() == set()
    assert threading.active_count() == before


def test_tasks_are_tasks() -> None:
    pool = ManualExecutor()

    def look() -> tuple[Any, ...]:
        task = treadle.current_task()
        assert task is not None
        seen = variable.get()
        variable.set("the task's")
        return task.name, task.priority, seen

    variable.set("submitter's")
    future = pool.options(name="task").submit(2, look)
    variable.set("runner's")
    failed = pool.submit(throw, ValueError("in the task"))
    interrupted = pool.submit(throw, KeyboardInterrupt())
    pool.run_all()
    assert future.result() == ("task", 2, "submitter's")
    assert variable.get() == "runner's"
    assert treadle.current_task() is None
    assert isinstance(failed.exception(), ValueError)
    assert isinstance(interrupted.exception(), KeyboardInterrupt)


def test_tasks_may_be_submitted_and_run_by_tasks() -> None:
    pool = ManualExecutor()
    ran: list[str] = []

    def outer() -> None:
        pool.submit(1, ran.append, "later")
        pool.submit(-1, ran.append, "within")
        assert pool.run_one()
        ran.append("outer")

    pool.submit(outer)
    assert pool.run_all() == 2
    assert ran == ["within", "outer", "later"]


def test_other_threads_submit_and_wait() -> None:
    pool = ManualExecutor()
    submitted = threading.Event()

    def submit_and_wait() -> int:
        future = pool.submit(abs, -7)
        submitted.set()
        return future.result(LIMIT)

    waiting = in_thread(submit_and_wait)
    submitted.wait(LIMIT)
    assert pool.run_one()
    assert waiting.get() == 7


def test_deadlines_pass_when_time_does() -> None:
    pool = ManualExecutor()
    order: list[str] = []
    futures = {
        name: pool.options(deadline=deadline).submit(abs, -1)
        for name, deadline in (("5", 5), ("3", 3), ("8", 8))
    }
    for name, future in futures.items():
        future.add_done_callback(lambda _, name=name: order.append(name))
    pool.advance(2.5)
    assert not any(future.done() for future in futures.values())
    pool.advance(3)
    assert order == ["3", "5"]
    for name in order:
        with pytest.raises(DeadlineExceeded):
            futures[name].result()
    assert pool.pending == 1
    pool.run_all()
    assert futures["8"].result() == 1
    assert pool.now == 5.5


def test_what_is_due_on_the_way_happens_at_its_own_time() -> None:
    pool = ManualExecutor()
    later: list[Any] = []
    future = pool.options(deadline=3).submit(int)
    future.add_done_callback(lambda _: later.append(pool.options(deadline=1).submit(int)))
    pool.advance(3.5)
    assert not later[0].done()
    pool.advance(0.5)
    assert isinstance(later[0].exception(0), DeadlineExceeded)
    future = pool.options(deadline=3).submit(int)
    future.add_done_callback(lambda _: later.append(pool.options(deadline=1).submit(int)))
    pool.advance(10)
    assert isinstance(later[1].exception(0), DeadlineExceeded)


def test_a_time_limit_begins_with_the_run() -> None:
    pool = ManualExecutor()

    def work() -> list[bool]:
        task = treadle.current_task()
        assert task is not None
        seen = []
        for _ in range(3):
            seen.append(task.cancel_requested)
            pool.advance(1)
        return seen

    future = pool.options(timeout=1.5).submit(work)
    pool.advance(100)
    pool.run_all()
    assert future.result() == [False, False, True]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300, 10**400])
def test_time_only_passes(seconds: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"up to 1e+09, not {seconds}")):
        ManualExecutor().advance(seconds)


@pytest.mark.parametrize("seconds", ["1", None, True, [1]])
def test_time_is_a_number(seconds: Any) -> None:
    with pytest.raises(TypeError, match="a number of seconds, not"):
        ManualExecutor().advance(seconds)


def test_time_does_not_overflow() -> None:
    pool = ManualExecutor()
    future = pool.options(deadline=1e9).submit(int)
    pool.advance(1e9 - 1)
    assert not future.done()
    with pytest.raises(ValueError, match="up to"):
        pool.advance(2)
    pool.advance(1)
    assert (future.done(), pool.now) == (True, 1e9)


@pytest.mark.parametrize(
    "options",
    [
        {"max_workers": 2},
        {"workers": 2},
        {"thread_name_prefix": "thread"},
        {"initializer": print, "initargs": (1,)},
        {"keep_alive": 1, "min_workers": 1},
        {"daemon": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_threads_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no threads: it does not take") as caught:
        ManualExecutor(**options)
    assert all(option in str(caught.value) for option in options)


@pytest.mark.parametrize("priority", [1, 5, 40])
@pytest.mark.parametrize("aging", [0.5, 10])
def test_with_aging_a_task_waits_no_longer_than_its_levels_last(
    priority: int, aging: float
) -> None:
    """A flood of tasks at priority 0, one at a time, while one task of a worse priority waits."""
    pool = ManualExecutor(aging=aging)
    pool.advance(aging / 3)
    waiting = pool.submit(priority, int)
    waited = 0.0
    while not waiting.done():
        pool.submit(0, int)
        pool.submit(0, int)  # more than is run
        assert pool.run_one()
        pool.advance(aging / 4)
        waited += aging / 4
        # Those who came in its last period at the same level, or a better one, may be before it.
        assert waited <= 2 * (priority + 1) * aging
    assert waited >= (priority - 1) * aging


def test_without_aging_it_may_wait_for_ever() -> None:
    pool = ManualExecutor()
    waiting = pool.submit(1, int)
    for _ in range(1000):
        pool.submit(0, int)
        pool.run_one()
        pool.advance(1000)
    assert not waiting.done()


def test_aging_keeps_the_order_of_equals() -> None:
    pool = ManualExecutor(aging=1)
    ran: list[int] = []
    for number in range(50):
        pool.submit(3, ran.append, number)
        pool.advance(0.3)
    pool.run_all()
    assert ran == list(range(50))


def test_aging_does_not_turn_the_worst_priorities_into_the_best() -> None:
    pool = ManualExecutor(aging=1)
    ran: list[int] = []
    for priority in (2**63 - 1, 0, -(2**63), 2**63 - 2):
        pool.submit(priority, ran.append, priority)
    pool.run_all()
    assert ran[:2] == [-(2**63), 0]
    assert sorted(ran[2:]) == [2**63 - 2, 2**63 - 1]


def test_shutdown_runs_what_waits_or_cancels_it() -> None:
    ran: list[int] = []
    with ManualExecutor() as pool:
        pool.submit(ran.append, 1)
    assert ran == [1]
    pool = ManualExecutor()
    pool.submit(ran.append, 1)
    pool.shutdown(timeout=1)
    assert ran.pop() == 1
    with pytest.raises(ValueError, match="timeout must be a finite number"):
        pool.shutdown(timeout=-1)
    pool = ManualExecutor()
    future = pool.submit(ran.append, 2)
    pool.shutdown(cancel_futures=True)
    assert future.cancelled()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(ran.append, 3)
    assert ran == [1]


def test_shutdown_takes_a_time_limit_which_it_cannot_exceed() -> None:
    pool = ManualExecutor()
    with pytest.raises(
        ValueError, match="timeout must be a finite number of seconds >= 0, or None"
    ):
        pool.shutdown(timeout=-1)
    with pytest.raises(ValueError, match=r"shutdown\(wait=False\) waits for nothing"):
        pool.shutdown(wait=False, timeout=1)
    future = pool.submit(int)
    pool.shutdown(timeout=0)
    assert future.result() == 0


def test_the_asynchronous_end_runs_what_waits_or_cancels_it() -> None:
    async def main() -> list[Any]:
        async with ManualExecutor() as pool:
            ran = pool.submit(abs, -1)
        pool = ManualExecutor()
        cancelled = pool.submit(abs, -1)
        await pool.aclose(cancel_futures=True, timeout=1)
        pool = ManualExecutor()
        async with pool.options(name="view") as view:
            of_view = view.submit(abs, -2)
        return [ran.result(0), cancelled.cancelled(), of_view.result(0)]

    assert asyncio.run(main()) == [1, True, 2]


def test_the_end_of_a_view_runs_what_waits() -> None:
    pool = ManualExecutor()
    with pool.options(name="view") as view:
        future = view.submit(abs, -1)
    assert future.result(0) == 1
    view = pool.options(name="view")
    future = view.submit(abs, -1)
    view.shutdown(cancel_futures=True)
    assert future.cancelled()


@pytest.mark.parametrize("aging", [None, 1])
def test_a_task_knows_its_priority(aging: float | None) -> None:
    """Whatever its level in the queue."""
    pool = ManualExecutor(aging=aging)
    views = [pool, pool.options(name="view"), pool.options(deadline=9, timeout=9)]
    futures = [view.submit(3, treadle.current_task) for view in views]
    futures += [view.submit(treadle.current_task) for view in views]
    futures += [view.options(priority=-2).submit(treadle.current_task) for view in views]
    with pool.options(name="counted") as counted:
        futures.append(counted.submit(7, treadle.current_task))
    tasks: list[Any] = [future.result(0) for future in futures]
    assert [task.priority for task in tasks] == [3, 3, 3, 0, 0, 0, -2, -2, -2, 7]
    assert [task.name for task in tasks][1] == "view"
    assert tasks[2].deadline is not None


def test_a_task_knows_its_new_priority() -> None:
    pool = ManualExecutor()
    futures = [each.submit(treadle.current_task) for each in (pool, pool.options(priority=2))]
    for future in futures:
        assert pool.reprioritize(future, 5)
    pool.run_all()
    assert [future.result(0).priority for future in futures] == [5, 5]


def test_a_view_cancels_its_own_with_aging() -> None:
    pool = ManualExecutor(aging=1)
    view = pool.options(name="view")
    mine, other = view.submit(3, abs, -1), pool.submit(3, abs, -1)
    view.shutdown(wait=False, cancel_futures=True)
    assert (mine.cancelled(), other.cancelled()) == (True, False)


def test_what_is_late_from_the_beginning_does_not_run() -> None:
    pool = ManualExecutor()
    ran: list[int] = []

    def outer() -> Any:
        pool.advance(5)
        return pool.submit(ran.append, 1)

    future = pool.options(timeout=3).submit(outer)
    pool.run_all()
    with pytest.raises(DeadlineExceeded):
        future.result(0).result(0)
    assert ran == []
