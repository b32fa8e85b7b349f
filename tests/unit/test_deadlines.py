"""Deadlines and time limits: what waits too long fails, what runs too long is asked to stop."""

from __future__ import annotations

import builtins
import concurrent.futures
import gc
import os
import sysconfig
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.processes import run_python
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy
from treadle.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

SOON = 0.02


def seconds_left() -> float | None:
    task = treadle.current_task()
    assert task is not None
    return task.deadline


def wait_until_asked() -> bool:
    task = treadle.current_task()
    assert task is not None
    return task.wait_cancelled(LIMIT)


def test_the_error_is_every_timeout_error() -> None:
    assert issubclass(DeadlineExceeded, builtins.TimeoutError)
    assert issubclass(DeadlineExceeded, concurrent.futures.TimeoutError)


def test_a_task_that_waits_too_long_fails_while_all_workers_are_busy(
    executor: Any, workers: int, gate: Gate
) -> None:
    occupy(executor, gate, workers)
    ran = threading.Event()
    called_back: list[Any] = []
    future = executor.options(deadline=SOON).submit(ran.set)
    future.add_done_callback(called_back.append)
    assert isinstance(future.exception(LIMIT), DeadlineExceeded)
    assert eventually(lambda: called_back == [future])
    assert executor._queue_size() == 0
    gate.open()
    executor.shutdown()
    assert not ran.is_set()


def test_a_task_that_starts_in_time_has_no_error(executor: Any) -> None:
    view = executor.options(deadline=LIMIT)
    assert [view.submit(abs, -number).result(LIMIT) for number in range(50)] == list(range(50))
    left = view.submit(seconds_left).result(LIMIT)
    assert 0 < left <= LIMIT


@pytest.mark.parametrize("policy", ["block", "raise", "run", "drop_oldest"])
def test_an_expired_task_leaves_its_place_in_a_bounded_queue(
    make_executor: Callable[..., Any], gate: Gate, policy: str
) -> None:
    pool = make_executor(1, max_pending=2, when_full=policy)
    occupy(pool, gate, 1)
    view = pool.options(deadline=SOON)
    seen: list[Any] = []
    for _ in range(3):
        futures = [view.submit(abs, -1) for _ in range(2)]
        futures[0].add_done_callback(lambda _: seen.append(pool.try_submit(abs, -7)))
        for future in futures:
            assert isinstance(future.exception(LIMIT), DeadlineExceeded)
        assert eventually(lambda: len(seen) == 1), "callbacks find room"
        assert seen.pop().cancel()
    assert [pool.try_submit(abs, -1) is not None for _ in range(3)] == [True, True, False]
    gate.open()


@pytest.mark.skipif(sysconfig.get_config_var("Py_GIL_DISABLED") == 1, reason="nobody waits there")
def test_a_task_does_not_start_after_its_deadline() -> None:
    """Also when its worker comes before whoever watches the clock."""
    output = run_python(
        "import sys, treadle\n",
        """
        pool = treadle.ThreadPoolExecutor(1)
        urgent, view = pool.options(priority=-1), pool.options(deadline=0.02)
        ran = []
        for executor in urgent, view:
            executor.submit(int).exception()
        sys.setswitchinterval(1)
        hog = urgent.submit(sum, range(10**7))  # keeps the interpreter to itself
        late = view.submit(ran.append, 1)
        sys.setswitchinterval(0.005)
        print(type(late.exception(30)).__name__, ran)
        """,
    )
    assert output == "DeadlineExceeded []\n"


def test_waiters_of_all_kinds_see_the_end(executor: Any, workers: int, gate: Gate) -> None:
    occupy(executor, gate, workers)
    futures = [executor.options(deadline=SOON).submit(abs, -1) for _ in range(3)]
    assert not concurrent.futures.wait(futures, LIMIT).not_done
    for future in treadle.as_completed(futures, LIMIT):
        with pytest.raises(DeadlineExceeded):
            future.result()


def test_the_earliest_deadline_of_a_priority_is_first(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    ran: list[Any] = []
    for priority, deadline in ((0, 30), (0, 20), (1, 10), (0, None), (0, 25), (-1, 40)):
        view = pool.options(priority=priority, deadline=deadline)
        view.submit(ran.append, (priority, deadline))
    gate.open()
    pool.shutdown()
    assert ran == [(-1, 40), (0, 20), (0, 25), (0, 30), (0, None), (1, 10)]


@pytest.mark.parametrize("option", ["deadline", "timeout"])
def test_a_running_task_is_asked_to_stop(executor: Any, option: str) -> None:
    view = executor.options(**{option: 10 * SOON})
    assert view.submit(wait_until_asked).result(LIMIT) is True


@pytest.mark.parametrize(("deadline", "timeout"), [(SOON, LIMIT), (10 * LIMIT, SOON)])
def test_whichever_limit_is_first(executor: Any, deadline: float, timeout: float) -> None:
    view = executor.options(deadline=deadline, timeout=timeout)
    future = view.submit(wait_until_asked)
    assert future.exception(LIMIT) is None or timeout == LIMIT  # it may not have started in time
    assert future.exception() is not None or future.result() is True
    left = executor.options(deadline=LIMIT, timeout=10 * LIMIT).submit(seconds_left).result(LIMIT)
    assert left <= LIMIT


def test_a_time_limit_counts_for_what_runs_out_of_turn(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)

    def outer() -> Any:
        return pool.options(timeout=SOON).submit(wait_until_asked).result()

    assert pool.submit(outer).result(LIMIT) is True


def test_a_task_that_stops_when_asked_is_cancelled(executor: Any) -> None:
    def poll() -> None:
        while True:
            treadle.check_cancelled()

    future = executor.options(timeout=SOON).submit(poll)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(LIMIT)
    assert future.cancelled()


def test_the_time_of_a_run_does_not_begin_in_the_queue(
    executor: Any, workers: int, gate: Gate
) -> None:
    occupy(executor, gate, workers)
    future = executor.options(timeout=LIMIT).submit(seconds_left)
    threading.Event().wait(SOON)
    gate.open()
    assert LIMIT - SOON < future.result(LIMIT) <= LIMIT


def test_a_cancelled_task_is_not_failed_later(executor: Any, workers: int, gate: Gate) -> None:
    occupy(executor, gate, workers)
    future = executor.options(deadline=SOON).submit(abs, -1)
    assert future.cancel()
    threading.Event().wait(3 * SOON)
    assert future.cancelled()


def test_a_cancelled_task_is_not_watched(executor: Any, workers: int, gate: Gate) -> None:
    occupy(executor, gate, workers)
    future = executor.options(deadline=3600).submit(abs, -1)
    assert future.cancel()
    reference = weakref.ref(future)
    del future
    assert eventually_dead(reference)


def test_tasks_inherit_the_deadline_of_the_task_that_submits(executor: Any) -> None:
    plain: list[Callable[[], Any]] = [
        lambda: executor.submit(seconds_left),
        lambda: executor.options(name="inner").submit(seconds_left),
        lambda: executor.options(deadline=10 * LIMIT).submit(seconds_left),
    ]

    def outer(submit: Callable[[], Any]) -> Any:
        return submit().result(LIMIT)

    for submit in plain:
        left = executor.options(deadline=LIMIT).submit(outer, submit).result(LIMIT)
        assert 0 < left <= LIMIT
        left = executor.options(timeout=LIMIT).submit(outer, submit).result(LIMIT)
        assert 0 < left <= LIMIT
    told = executor.options(inherit=False)
    view = executor.options(deadline=LIMIT)
    assert view.submit(outer, lambda: told.submit(seconds_left)).result(LIMIT) is None
    assert executor.submit(outer, plain[0]).result(LIMIT) is None


def test_callbacks_that_wait_hold_up_no_running_task(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    """They run in the thread that watches the clock."""
    pool, other = make_executor(1), make_executor(1)
    occupy(pool, gate, 1)
    expires = pool.options(deadline=SOON).submit(abs, -1)
    called_back = threading.Event()
    expires.add_done_callback(lambda _: (called_back.set(), running.result(LIMIT)))
    running = other.options(timeout=20 * SOON).submit(wait_until_asked)
    assert called_back.wait(LIMIT)
    assert running.result(LIMIT) is True


def test_nobody_keeps_a_future_whose_time_has_not_come(executor: Any) -> None:
    future = executor.options(deadline=10 * LIMIT).submit(abs, -1)
    assert future.result(LIMIT) == 1
    reference = weakref.ref(future)
    del future
    assert eventually_dead(reference)


@pytest.mark.worker_counts(8)
def test_no_done_future_is_watched(executor: Any) -> None:
    """However the end of a call and the beginning of the watch race."""
    view = executor.options(deadline=3600)
    references: list[Any] = []

    def submit_many() -> None:
        references.extend(weakref.ref(view.submit(int)) for _ in range(2000))

    for thread in [in_thread(submit_many) for _ in range(4)]:
        thread.get()
    executor.shutdown()
    gc.collect()
    assert sum(reference() is not None for reference in references) == 0


def test_a_refused_task_is_not_watched(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    view = pool.options(deadline=SOON)
    pool.shutdown()
    for _ in range(10):
        with pytest.raises(RuntimeError, match="after shutdown"):
            view.submit(abs, -1)
    threading.Event().wait(2 * SOON)


def test_the_interpreter_ends_with_deadlines_to_come() -> None:
    output = run_python(
        "import treadle\n",
        """
        pool = treadle.ThreadPoolExecutor(1)
        future = pool.options(deadline=3600, timeout=3600).submit(print, "ran")
        kept = treadle.ThreadPoolExecutor(1).options(timeout=3600).submit(int)
        """,
    )
    assert output == "ran\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_deadlines_work_in_the_child_of_a_fork() -> None:
    output = run_python(
        "import os, threading, warnings, treadle\n",
        """
        warnings.simplefilter("ignore")

        def expires():
            with treadle.ThreadPoolExecutor(1) as pool:
                started, gate = threading.Event(), threading.Event()
                pool.submit(lambda: (started.set(), gate.wait()))
                started.wait()
                future = pool.options(deadline=0.02).submit(int)
                try:
                    return type(future.exception(30)).__name__
                finally:
                    gate.set()

        print(expires(), flush=True)
        pending = treadle.ThreadPoolExecutor(1).options(deadline=3600)
        pending.submit(int).result()
        child = os.fork()
        if child == 0:
            print(expires(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(expires())
        """,
    )
    assert output == "DeadlineExceeded\n" * 3
