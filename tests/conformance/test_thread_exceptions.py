"""Exceptions set in a worker from outside, by `PyThreadState_SetAsyncExc`."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from support.logs import LogRecorder


class Outside(Exception):
    """Set in a thread by another one."""


def set_in(thread_id: int | None, error_type: type[BaseException] = Outside) -> int:
    """Sets the exception in the thread; gives how many threads it reached."""
    assert thread_id is not None
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    return set_exception(ctypes.c_ulong(thread_id), ctypes.py_object(error_type))


@pytest.mark.parametrize("error_type", [Outside, SystemExit, KeyboardInterrupt])
def test_it_ends_the_running_task_and_not_the_worker(
    make_executor: Callable[..., ThreadPoolExecutor], error_type: type[BaseException]
) -> None:
    pool = make_executor(1)
    identities: list[int] = []
    started = threading.Event()

    def for_ever() -> None:
        identities.append(threading.get_ident())
        started.set()
        while True:
            time.sleep(0.0001)

    for _ in range(5):
        started.clear()
        future = pool.submit(for_ever)
        assert started.wait(LIMIT)
        assert set_in(identities[-1], error_type) == 1
        assert isinstance(future.exception(LIMIT), error_type)
        assert pool.submit(threading.get_ident).result(LIMIT) == identities[-1]
    assert len(set(identities)) == 1


@pytest.mark.ours  # in the standard library the idle worker dies, and its pool with it
def test_it_does_not_end_an_idle_worker(
    make_executor: Callable[..., ThreadPoolExecutor], futures_log: LogRecorder
) -> None:
    pool = make_executor(1)
    identity = pool.submit(threading.get_ident).result(LIMIT)
    for _ in range(20):
        assert set_in(identity) == 1
        errors = [pool.submit(int).exception(LIMIT) for _ in range(3)]
        assert sum(isinstance(error, Outside) for error in errors) <= 1
        assert all(error is None or isinstance(error, Outside) for error in errors)
        assert pool.submit(threading.get_ident).result(LIMIT) == identity
    futures_log.take()


@pytest.mark.ours
def test_it_does_not_end_a_worker_that_ends(
    make_executor: Callable[..., ThreadPoolExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    for _ in range(20):
        pool = make_executor(1)
        identity = pool.submit(threading.get_ident).result(LIMIT)
        assert eventually(lambda pool=pool: pool._idle_semaphore._value == 1)
        assert set_in(identity) == 1
        pool.shutdown()
    assert seen == []


@pytest.mark.ours
def test_it_ends_at_most_the_running_tasks_of_a_busy_pool(
    make_executor: Callable[..., ThreadPoolExecutor], futures_log: LogRecorder
) -> None:
    pool = make_executor(2)
    together = threading.Barrier(2, timeout=LIMIT)
    identities = {
        future.result(LIMIT)
        for future in [
            pool.submit(lambda: (together.wait(), threading.get_ident())[1]) for _ in range(2)
        ]
    }
    stop = threading.Event()
    sent = [0]

    def send() -> None:
        while not stop.is_set():
            for identity in identities:
                sent[0] += set_in(identity)
            time.sleep(0.0005)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        outcomes: list[Any] = []
        for _ in range(100):
            futures = [pool.submit(sum, range(50)) for _ in range(100)]
            outcomes += [future.exception(LIMIT) for future in futures]
    finally:
        stop.set()
        sender.join()
    failed = [error for error in outcomes if error is not None]
    assert all(isinstance(error, Outside) for error in failed)
    assert len(failed) <= sent[0]
    assert {thread.ident for thread in pool._threads} == identities
    assert all(thread.is_alive() for thread in pool._threads)
    for record in futures_log.take():
        assert record.exc_info
        assert record.exc_info[0] is Outside


@pytest.mark.ours
def test_it_ends_a_wait_inside_a_task(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    """As in an ordinary thread, the wait must end first: it is interrupted by what it awaits."""
    pool, other = make_executor(1), make_executor(1)
    blocker = other.submit(gate.wait)
    started = threading.Event()
    identities: list[int] = []

    def waits() -> Any:
        identities.append(threading.get_ident())
        started.set()
        result = blocker.result(LIMIT)
        return [result, sum(range(1000))]

    future = pool.submit(waits)
    assert started.wait(LIMIT)
    set_in(identities[0])
    gate.open()
    assert isinstance(future.exception(LIMIT), Outside)
    assert pool.submit(threading.get_ident).result(LIMIT) == identities[0]
