"""A task that waits runs nothing that could need what the task itself holds.

Whatever it holds while it waits, a lock or its own outcome, tasks that want it are run by others.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

WAITS: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.result(),
    "result with a limit": lambda future: future.result(LIMIT),
    "exception": lambda future: future.exception(),
    "wait": lambda future: treadle.wait([future]),
    "as_completed": lambda future: list(treadle.as_completed([future])),
}

each_wait = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


def hold_and_wait(
    lock: threading.Lock, held: Gate, wait: Callable[[Any], Any], future: Any
) -> None:
    with lock:
        held.wait()
        wait(future)


def want(lock: threading.Lock) -> str:
    """Takes the lock; fails instead of hanging."""
    if not lock.acquire(timeout=10):
        return "deadlock"
    lock.release()
    return "free"


@each_wait
@pytest.mark.worker_counts(2, 3, 8)
def test_a_lock_held_while_waiting_for_a_running_task(
    executor: Any, gate: Gate, workers: int, wait: Callable[[Any], Any]
) -> None:
    lock, held = threading.Lock(), Gate()
    running = occupy(executor, gate, workers - 1)
    waiting = executor.submit(hold_and_wait, lock, held, wait, running[0])
    held.await_arrivals()
    wanting = [executor.submit(want, lock) for _ in range(4)]
    held.open()
    threading.Timer(0.3, gate.open).start()  # when the task waits, which nothing tells
    waiting.result(LIMIT)
    assert [future.result(LIMIT) for future in wanting] == ["free"] * 4


@each_wait
def test_a_lock_held_while_waiting_for_a_future_of_nobody(
    executor: Any, wait: Callable[[Any], Any]
) -> None:
    lock, held = threading.Lock(), Gate()
    future: Any = treadle.Future()
    waiting = executor.submit(hold_and_wait, lock, held, wait, future)
    held.await_arrivals()
    wanting = [executor.submit(want, lock) for _ in range(4)]
    held.open()
    threading.Timer(0.3, future.set_result, (None,)).start()  # when the task waits
    waiting.result(LIMIT)
    assert [future.result(LIMIT) for future in wanting] == ["free"] * 4


@each_wait
def test_a_task_waits_for_one_that_waits(
    make_executor: Callable[..., Any], gate: Gate, wait: Callable[[Any], Any]
) -> None:
    """The waiting first task must not run the second one: that one waits for the first."""
    pool = make_executor(2)
    (running,) = occupy(pool, gate, 1)
    first_may_wait = Gate()

    def first() -> str:
        first_may_wait.wait()
        wait(running)
        return "first"

    beneath = pool.submit(first)
    first_may_wait.await_arrivals()
    second = pool.submit(lambda: (wait(beneath), "second after " + beneath.result())[1])
    first_may_wait.open()
    threading.Timer(0.3, gate.open).start()  # when the first task waits, which nothing tells
    assert second.result(10) == "second after first"


@pytest.mark.worker_counts(1, 2, 3)
def test_a_chain_of_tasks_each_of_which_waits_for_the_one_before(
    executor: Any, gate: Gate, workers: int
) -> None:
    def after(before: Any) -> int:
        return 1 + before.result()

    occupy(executor, gate, workers)
    future = executor.submit(int)
    for _ in range(30):
        future = executor.submit(after, future)
    gate.open()
    assert future.result(LIMIT) == 30


@pytest.mark.worker_counts(1, 2, 3)
def test_a_chain_of_tasks_each_of_which_waits_for_the_one_behind(
    executor: Any, gate: Gate, workers: int
) -> None:
    futures: list[Any] = []

    def before(number: int) -> int:
        return 1 + futures[number + 1].result() if number < 30 else 0

    occupy(executor, gate, workers)
    futures += [executor.submit(before, number) for number in range(31)]
    gate.open()
    assert futures[0].result(LIMIT) == 30


def test_a_task_that_waits_for_a_running_one_lets_the_queue_go_on(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    """The running task ends only when the queued ones have run."""
    pool = make_executor(2)
    ran: list[int] = []
    running = pool.submit(lambda: (gate.wait(), eventually(lambda: len(ran) == 10, 10))[1])
    gate.await_arrivals()

    def outer() -> bool:
        for number in range(10):
            pool.submit(ran.append, number)
        gate.open()
        return running.result()

    assert pool.submit(outer).result(LIMIT) is True
