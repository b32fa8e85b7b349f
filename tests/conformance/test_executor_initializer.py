"""Initializers: once in each worker, and a pool that says so when one fails."""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor
from concurrent.futures.thread import BrokenThreadPool
from typing import TYPE_CHECKING, Any

import pytest

from support.logs import LogRecorder, error_of
from support.waiting import LIMIT, Gate, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

TEXT = "A thread initializer failed, the thread pool is not usable anymore"


def test_the_initializer_runs_once_in_each_worker_before_its_tasks(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    calls: list[tuple[int, str]] = []
    pool = make_executor(
        workers,
        initializer=lambda name: calls.append((threading.get_ident(), name)),
        initargs=("given",),
    )
    together = threading.Barrier(workers, timeout=LIMIT)

    def task() -> bool:
        together.wait()
        return (threading.get_ident(), "given") in calls

    assert all(future.result(LIMIT) for future in [pool.submit(task) for _ in range(3 * workers)])
    assert {identity for identity, _ in calls} == {thread.ident for thread in pool._threads}
    assert len(calls) == workers


def test_what_the_initializer_leaves_in_thread_locals_stays(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    local = threading.local()
    pool = make_executor(workers, initializer=setattr, initargs=(local, "value", 5))
    futures = [pool.submit(getattr, local, "value") for _ in range(20)]
    assert [future.result(LIMIT) for future in futures] == [5] * 20


@pytest.fixture
def failing(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate, workers: int
) -> ThreadPoolExecutor:
    """A pool whose initializer fails once the gate opens."""

    def fail() -> None:
        gate.wait()
        message = "error in initializer"
        raise ValueError(message)

    return make_executor(workers, initializer=fail)


def check_log(log: LogRecorder, workers: int, error_type: type[BaseException]) -> None:
    records = log.take()
    assert 1 <= len(records) <= workers
    for record in records:
        assert record.levelname == "CRITICAL"
        assert record.getMessage() == "Exception in initializer:"
        assert type(error_of(record)) is error_type


def test_a_failing_initializer_breaks_the_pool(
    failing: ThreadPoolExecutor, gate: Gate, workers: int, futures_log: LogRecorder
) -> None:
    futures = [failing.submit(int) for _ in range(workers + 5)]
    gate.open()
    for future in futures:
        with pytest.raises(BrokenThreadPool, match=f"^{TEXT}$"):
            future.result(LIMIT)
    with pytest.raises(BrokenThreadPool, match=f"^{TEXT}$"):
        failing.submit(int)
    assert failing._broken == TEXT
    failing.shutdown()
    check_log(futures_log, workers, ValueError)


@pytest.mark.ours  # in the standard library the cancelled one makes the others hang
def test_a_cancelled_task_in_a_breaking_pool_stays_cancelled(
    failing: ThreadPoolExecutor, gate: Gate, workers: int, futures_log: LogRecorder
) -> None:
    futures = [failing.submit(int) for _ in range(workers + 5)]
    assert futures[0].cancel()
    gate.open()
    for future in futures[1:]:
        assert isinstance(future.exception(LIMIT), BrokenThreadPool)
    assert futures[0].cancelled()
    failing.shutdown()
    check_log(futures_log, workers, ValueError)


def test_a_broken_pool_says_so_also_after_shutdown_and_in_map(
    failing: ThreadPoolExecutor, gate: Gate, workers: int, futures_log: LogRecorder
) -> None:
    future = failing.submit(int)
    gate.open()
    assert isinstance(future.exception(LIMIT), BrokenExecutor)
    failing.shutdown()
    with pytest.raises(BrokenThreadPool, match=f"^{TEXT}$"):
        failing.submit(int)
    with pytest.raises(BrokenThreadPool, match=f"^{TEXT}$"):
        failing.map(int, [1])
    check_log(futures_log, workers, ValueError)


@pytest.mark.parametrize("error_type", [SystemExit, KeyboardInterrupt])
def test_an_initializer_that_exits_breaks_the_pool_too(
    make_executor: Callable[..., ThreadPoolExecutor],
    workers: int,
    error_type: type[BaseException],
    futures_log: LogRecorder,
) -> None:
    pool = make_executor(workers, initializer=throw, initargs=(error_type(),))
    assert isinstance(pool.submit(int).exception(LIMIT), BrokenThreadPool)
    pool.shutdown()
    check_log(futures_log, workers, error_type)


def test_a_failing_initializer_does_not_reach_the_excepthook(
    make_executor: Callable[..., ThreadPoolExecutor],
    workers: int,
    futures_log: LogRecorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    pool = make_executor(workers, initializer=throw, initargs=(ValueError(),))
    assert isinstance(pool.submit(int).exception(LIMIT), BrokenThreadPool)
    pool.shutdown()
    assert seen == []
    check_log(futures_log, workers, ValueError)


def test_a_worker_that_fails_later_leaves_running_tasks_alone(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate, futures_log: LogRecorder
) -> None:
    calls: list[int] = []

    def only_the_first() -> None:
        calls.append(1)
        if len(calls) > 1:
            message = "the second worker"
            raise ValueError(message)

    pool = make_executor(2, initializer=only_the_first)
    running = pool.submit(gate.wait, "unharmed")
    gate.await_arrivals()
    queued = pool.submit(int)
    assert isinstance(queued.exception(LIMIT), BrokenThreadPool)
    assert pool._broken
    gate.open()
    assert running.result(LIMIT) == "unharmed"
    pool.shutdown()
    check_log(futures_log, 2, ValueError)
