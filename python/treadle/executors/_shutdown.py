"""The waiting that a shutdown does, and what it says when its time is up.

Thread safety: every function, from any thread, and from a signal handler in the middle of any of
them, or of a submit.
Invariants:
 1. Nobody waits for the thread that it is in: neither a worker for its pool's end, nor a signal
    handler for a thread that the code below it is about to start, or keeps from starting.
 2. No lock of `threading` is asked for by a handler that may stand inside of that lock.
 3. Who gives up has changed nothing: the next shutdown waits for the same threads.
"""

from __future__ import annotations

import threading
import time

from treadle.errors import ShutdownTimeout
from treadle.executors._worker_thread import is_in_threading

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

    from treadle.executors._worker_thread import WorkerThread
    from treadle.executors.thread import ThreadPoolExecutor
    from treadle.running_task import RunningTask

__all__ = ["check_timeout", "deadline_of", "join", "wait_until_started"]

PAUSE = 0.0005
"""Seconds between two looks at what no event announces."""

ENDING = 1.0
"""Seconds more for threads that run nothing: they end by themselves, at once."""


def check_timeout(timeout: Any, *, wait: bool) -> None:
    """Refuse what is no limit for a shutdown, before anything is shut down."""
    if timeout is None:
        return
    msg = f"timeout must be a finite number of seconds >= 0, or None, not {timeout!r}"
    if isinstance(timeout, bool) or not hasattr(timeout, "__float__"):
        raise TypeError(msg)
    try:
        allowed = 0 <= float(timeout) < float("inf")
    except (OverflowError, ValueError):  # beyond all floats; a signaling NaN
        allowed = False
    if not allowed:
        raise ValueError(msg)
    if not wait:
        msg = f"shutdown(wait=False) waits for nothing: timeout must be None then, not {timeout!r}"
        raise ValueError(msg)


def deadline_of(pool: ThreadPoolExecutor, timeout: float | None) -> float | None:
    """The time on the monotonic clock when the waiting ends; from now on the pool keeps times."""
    if timeout is None:
        return None
    pool._time_calls()
    return time.monotonic() + float(timeout)


def wait_until_started(pool: ThreadPoolExecutor, deadline: float | None) -> None:
    """Wait for the threads that are being started: each has a call to take."""
    if is_in_threading():
        return
    for thread in _threads_of(pool):
        thread.wait_started(_left(deadline))


def join(pool: ThreadPoolExecutor, timeout: float | None, deadline: float | None) -> None:
    """Wait until the pool has no thread, or raise ShutdownTimeout."""
    if pool._is_worker_here():
        msg = "cannot join current thread"  # as the standard library's
        raise RuntimeError(msg)
    while not _joined(pool, deadline):
        # Another thread is in the middle of a submit that came before the shutdown: its call is
        # accepted, and the worker that it starts is not in the set yet.
        if timeout is not None and deadline is not None and time.monotonic() >= deadline:
            tasks = _running_tasks(pool)
            waiting = pool.statistics().pending  # not what is void in the queue
            if tasks or waiting or time.monotonic() >= deadline + ENDING:
                raise ShutdownTimeout(_message(float(timeout), tasks, waiting), tasks)
        time.sleep(PAUSE)


def _joined(pool: ThreadPoolExecutor, deadline: float | None) -> bool:
    _join_each(pool, _left(deadline))
    # What does not begin before this returns: what is started below, and if a lock of `threading`
    # is held there, any thread.
    over = pool._thread_count() <= pool._count_starting(is_in_threading())
    if over:
        # A thread of Python ends a little later than the worker, and one that a worker has started
        # may have come into the set since.
        _join_each(pool, None if deadline is None else ENDING)
    return over


def _join_each(pool: ThreadPoolExecutor, timeout: float | None) -> None:
    if is_in_threading():
        return
    end_time = None if timeout is None else time.monotonic() + timeout
    for thread in _threads_of(pool):
        thread.join(_left(end_time))


def _threads_of(pool: ThreadPoolExecutor) -> list[WorkerThread]:
    return pool._threads_to_join()  # pyright: ignore[reportPrivateUsage]


def _left(deadline: float | None) -> float | None:
    return (
        None
        if deadline is None
        else min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
    )


def _running_tasks(pool: ThreadPoolExecutor) -> tuple[RunningTask, ...]:
    from treadle.running_task import RunningTask

    calls = pool._running_calls()
    # Not those of the pool: an ended thread's identity may be that of another by now.
    threads = {thread.ident: thread for thread in threading.enumerate()}
    tasks: list[RunningTask] = []
    for function, name, ident, since, seconds in calls:
        thread = threads.get(ident)
        if thread is None:  # it has ended just now
            continue

        def still_runs(ident: int = ident, since: int = since) -> bool:
            return any(one[2:4] == (ident, since) for one in pool._running_calls())

        tasks.append(RunningTask(name, function, seconds, thread, still_runs))
    tasks.sort(key=lambda task: -task.seconds)
    return tuple(tasks)


def _message(timeout: float, tasks: tuple[RunningTask, ...], waiting: int) -> str:
    said = [_count(len(tasks), "task still runs", "tasks still run")]
    if waiting:
        said.append(_count(waiting, "waits in the queue", "wait in the queue"))
    listed = ", ".join(
        f"{task.name} (for {task.seconds:.3g} s in thread {task.thread.name})" for task in tasks
    )
    message = f"{' and '.join(said)} after {timeout:g} seconds"
    return f"{message}: {listed}" if listed else message


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
