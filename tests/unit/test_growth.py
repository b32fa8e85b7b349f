"""How a pool comes by its workers: no task waits for a thread that is slow to begin."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor


@pytest.fixture
def small_switch_interval() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_an_idle_worker_takes_a_task_while_another_is_being_initialized(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    slow = Gate()
    numbers = iter(range(2))

    def initialize() -> None:
        if next(numbers) == 1:
            slow.wait()

    pool = make_executor(2, initializer=initialize)
    (first,) = occupy(pool, gate, 1)
    second = pool.submit(int, 2)  # starts the worker with the slow initializer
    slow.await_arrivals()
    gate.open()
    try:
        assert first.result(10) is None
        assert second.result(10) == 2
        for number in range(20):
            assert eventually(lambda: pool._idle_semaphore._value > 0)
            assert pool.submit(int, number).result(10) == number
    finally:
        slow.open()


def test_the_initializer_runs_though_the_pool_is_dropped_at_once(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    for _ in range(20):
        local = threading.local()
        future = executor_type(
            workers, initializer=setattr, initargs=(local, "value", "initialized")
        ).submit(lambda local=local: getattr(local, "value", "not initialized"))
        assert future.result(LIMIT) == "initialized"


def test_the_initializer_runs_though_the_pool_is_shut_down_at_once(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    for _ in range(20):
        local = threading.local()
        pool = make_executor(workers, initializer=setattr, initargs=(local, "value", 1))
        future = pool.submit(getattr, local, "value", 0)
        pool.shutdown(wait=False)
        assert future.result(LIMIT) == 1


def test_shutdown_waits_for_a_thread_that_is_being_started(
    executor_type: type[ThreadPoolExecutor], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread is held up in the middle of `submit` while another shuts the pool down."""
    start = threading.Thread.start

    def start_late(thread: threading.Thread) -> None:
        if thread.name.startswith("started-late"):
            gate.wait()
        start(thread)

    pool = executor_type(1, "started-late")
    monkeypatch.setattr(threading.Thread, "start", start_late)
    submitting = in_thread(pool.submit, time.sleep, 0.3)
    gate.await_arrivals()
    shutting = in_thread(pool.shutdown)
    shutting.thread.join(0.3)  # it must not end yet: it is given the time to end wrongly
    gate.open()
    future = submitting.get()
    shutting.get()
    assert future.done()


@pytest.mark.slow
@pytest.mark.usefixtures("small_switch_interval")
def test_shutdown_waits_for_every_accepted_task(executor_type: type[ThreadPoolExecutor]) -> None:
    def submit(pool: ThreadPoolExecutor, begun: threading.Event) -> Any:
        begun.set()
        try:
            return pool.submit(time.sleep, 0.01)
        except RuntimeError:
            return None

    for attempt in range(200):
        pool, begun = executor_type(1), threading.Event()
        submitting = in_thread(submit, pool, begun)
        begun.wait(LIMIT)
        while attempt % 2 and submitting.thread.is_alive() and not pool._work_queue.qsize():
            pass
        pool.shutdown(wait=True)
        future = submitting.get()
        assert future is None or future.done()


def meet(barrier: threading.Barrier) -> int:
    return barrier.wait()


SPREADS: dict[str, Callable[[Any, threading.Barrier, int], list[int]]] = {
    "submit": lambda pool, barrier, count: [
        future.result(LIMIT) for future in [pool.submit(meet, barrier) for _ in range(count)]
    ],
    "map": lambda pool, barrier, count: list(pool.map(meet, [barrier] * count)),
    "map_unordered": lambda pool, barrier, count: list(pool.map_unordered(meet, [barrier] * count)),
    "submit_many": lambda pool, barrier, count: [
        future.result(LIMIT) for future in pool.submit_many(meet, [barrier] * count)
    ],
}


@pytest.mark.ours
@pytest.mark.worker_counts(2, 4, 8, 32)
@pytest.mark.parametrize("switching", ["usually", "often"])
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_as_many_tasks_as_there_may_be_workers_meet(
    make_executor: Callable[..., ThreadPoolExecutor],
    request: pytest.FixtureRequest,
    workers: int,
    switching: str,
    spread: Callable[[Any, threading.Barrier, int], list[int]],
) -> None:
    if switching == "often":
        request.getfixturevalue("small_switch_interval")
    for _ in range(5):
        pool = make_executor(workers)
        together = threading.Barrier(workers, timeout=10)
        for _ in range(2):  # with new workers, and with those there are
            assert sorted(spread(pool, together, workers)) == list(range(workers))
        pool.shutdown()
