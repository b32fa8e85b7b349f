"""What asks a task to stop asks the tasks that it has submitted, too."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


@pytest.fixture
def pool(make_executor: Callable[..., Any]) -> treadle.ThreadPoolExecutor:
    pool: treadle.ThreadPoolExecutor = make_executor(4)
    return pool


def wait_until_asked() -> bool:
    task = treadle.current_task()
    assert task is not None
    return task.wait_cancelled(LIMIT)


def is_asked() -> bool:
    task = treadle.current_task()
    assert task is not None
    return task.cancel_requested


class Parent:
    """A task that submits others by `submit` and waits at a gate until they are looked at."""

    def __init__(self, pool: Any, submit: Callable[[], list[Any]]) -> None:
        self.children: list[Any] = []
        self.submitted = threading.Event()
        self.gate = Gate()
        self._submit = submit
        self.future = pool.submit(self.run)
        assert self.submitted.wait(LIMIT)

    def run(self) -> None:
        self.children = self._submit()
        self.submitted.set()
        self.gate.wait()


ASKS: dict[str, Callable[[Any], Any]] = {
    "cancel": lambda future: future.cancel(),
    "request_cancel": lambda future: future.request_cancel(),
}

each_way = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


@each_way
def test_running_children_are_asked(
    pool: treadle.ThreadPoolExecutor, ask: Callable[[Any], Any]
) -> None:
    started = threading.Semaphore(0)

    def child() -> bool:
        started.release()
        return wait_until_asked()

    parent = Parent(pool, lambda: [pool.submit(child) for _ in range(2)])
    for _ in parent.children:
        assert started.acquire(timeout=LIMIT)
    ask(parent.future)
    assert [child.result(LIMIT) for child in parent.children] == [True, True]
    parent.gate.open()


@each_way
def test_grandchildren_are_asked(
    pool: treadle.ThreadPoolExecutor, ask: Callable[[Any], Any]
) -> None:
    runs = threading.Event()

    def grandchild() -> bool:
        runs.set()
        return wait_until_asked()

    parent = Parent(pool, lambda: [pool.submit(lambda: pool.submit(grandchild).result())])
    assert runs.wait(LIMIT)
    ask(parent.future)
    assert parent.children[0].result(LIMIT) is True
    parent.gate.open()


def test_children_that_wait_begin_with_the_request(make_executor: Callable[..., Any]) -> None:
    """Functions that know nothing of requests run as they do with the standard library."""
    pool = make_executor(1)
    parent = Parent(pool, lambda: [pool.submit(is_asked), pool.submit(abs, -7)])
    assert not parent.future.cancel()
    parent.gate.open()
    assert [child.result(LIMIT) for child in parent.children] == [True, 7]


def test_request_cancel_cancels_children_that_wait(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    parent = Parent(pool, lambda: [pool.submit(abs, -7)])
    assert parent.future.request_cancel()
    assert parent.children[0].cancelled()
    parent.gate.open()


def test_request_cancel_cancels_grandchildren_that_wait(make_executor: Callable[..., Any]) -> None:
    pool, other = make_executor(2), make_executor(1)
    gate, submitted = Gate(), threading.Event()
    occupy(other, gate, 1)
    grandchildren: list[Any] = []

    def child() -> None:
        grandchildren.append(other.submit(abs, -7))
        submitted.set()
        gate.wait()

    parent = Parent(pool, lambda: [pool.submit(child)])
    assert submitted.wait(LIMIT)
    assert parent.future.request_cancel()
    assert grandchildren[0].cancelled()
    parent.gate.open()
    gate.open()


def test_children_of_other_pools_belong_to_the_family(
    pool: treadle.ThreadPoolExecutor, make_executor: Callable[..., Any]
) -> None:
    other = make_executor(2)
    parent = Parent(
        pool,
        lambda: [
            other.submit(wait_until_asked),
            *other.submit_many(wait_until_asked_with, [1]),
            other.options(name="child").submit(wait_until_asked),
        ],
    )
    parent.future.cancel()
    assert [child.result(LIMIT) for child in parent.children] == [True] * 3
    parent.gate.open()


def wait_until_asked_with(_: object) -> bool:
    return wait_until_asked()


def test_those_told_otherwise_are_not_asked(pool: treadle.ThreadPoolExecutor) -> None:
    apart = pool.options(inherit=False)
    seen = threading.Event()

    def child() -> bool:
        seen.wait(LIMIT)
        return is_asked()

    parent = Parent(pool, lambda: [apart.submit(child)])
    parent.future.request_cancel()
    seen.set()
    assert parent.children[0].result(LIMIT) is False
    parent.gate.open()


def test_children_submitted_after_the_request_begin_with_it(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    def parent() -> bool:
        wait_until_asked()
        return pool.submit(is_asked).result()

    future = pool.submit(parent)
    while not future.running():
        pass
    future.cancel()
    assert future.result(LIMIT) is True


def test_a_cancelled_awaiter_asks_the_family(pool: treadle.ThreadPoolExecutor) -> None:
    children: list[Any] = []
    submitted = threading.Event()

    def parent() -> None:
        children.append(pool.submit(wait_until_asked))
        submitted.set()
        children[0].result()

    async def main() -> None:
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await asyncio.wait_for(pool.submit(parent), 0.05)

    asyncio.run(main())
    assert submitted.wait(LIMIT)
    assert children[0].result(LIMIT) is True


@pytest.mark.parametrize("when", ["before the child", "after the child"])
def test_a_cancelled_run_in_executor_asks_the_family(
    pool: treadle.ThreadPoolExecutor, when: str
) -> None:
    """The parent sleeps, and looks at nothing."""
    children: list[Any] = []
    runs, cancelled, submitted = threading.Event(), threading.Event(), threading.Event()

    def parent() -> None:
        runs.set()
        if when == "before the child":
            cancelled.wait(LIMIT)
        children.append(pool.submit(wait_until_asked))
        submitted.set()
        concurrent.futures.wait(children)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(pool, parent)
        event = runs if when == "before the child" else submitted
        await loop.run_in_executor(None, event.wait, LIMIT)
        future.cancel()
        cancelled.set()
        await loop.run_in_executor(None, submitted.wait, LIMIT)
        assert await children[0] is True

    asyncio.run(main())


def test_the_child_of_a_task_that_its_submitter_runs(
    pool: treadle.ThreadPoolExecutor, make_executor: Callable[..., Any]
) -> None:
    full = make_executor(1, max_pending=1, when_full="run")
    gate = Gate()
    occupy(full, gate, 1)
    waiting = full.submit(abs, -1)
    children: list[Any] = []

    def parent() -> Any:
        children.append(pool.submit(wait_until_asked))
        return children[-1].result()

    # By a thread that is no worker, and by the worker of another pool.
    assert full.options(timeout=0.02).submit(parent).result(0) is True
    inner = pool.submit(lambda: full.options(timeout=0.02).submit(parent))
    assert inner.result(LIMIT).result(0) is True
    assert [child.result(0) for child in children] == [True, True]
    gate.open()
    assert waiting.result(LIMIT) == 1


def test_a_deadline_asks_the_family(pool: treadle.ThreadPoolExecutor) -> None:
    def parent() -> bool:
        return pool.options(inherit=True).submit(wait_until_asked).result()

    assert pool.options(timeout=0.02).submit(parent).result(LIMIT) is True


def test_children_outlive_a_parent_that_has_ended(pool: treadle.ThreadPoolExecutor) -> None:
    gate = Gate()
    future = pool.submit(lambda: pool.submit(gate.wait, 7))
    child = future.result(LIMIT)
    assert not future.request_cancel()
    gate.open()
    assert child.result(LIMIT) == 7


def test_a_parent_keeps_few_of_those_that_are_done(
    pool: treadle.ThreadPoolExecutor, make_executor: Callable[..., Any]
) -> None:
    other = make_executor(1)

    class Result:
        pass

    alive: list[weakref.ref[Result]] = []

    def parent() -> int:
        alive.extend(weakref.ref(other.submit(Result).result()) for _ in range(1000))
        return sum(reference() is not None for reference in alive)

    assert pool.submit(parent).result(LIMIT) <= 1
    assert all(eventually_dead(reference) for reference in alive)


def test_a_child_that_stops_ends_cancelled(pool: treadle.ThreadPoolExecutor) -> None:
    def child() -> None:
        while True:
            treadle.check_cancelled()

    parent = Parent(pool, lambda: [pool.submit(child)])
    parent.future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        parent.children[0].result(LIMIT)
    assert parent.children[0].cancelled()
    parent.gate.open()


def test_a_long_line_of_descent(pool: treadle.ThreadPoolExecutor) -> None:
    deepest = threading.Event()

    def descend(left: int) -> bool:
        if left == 0:
            deepest.set()
            return wait_until_asked()
        return pool.submit(descend, left - 1).result()

    future = pool.submit(descend, 100)
    assert deepest.wait(LIMIT)
    future.cancel()
    assert future.result(LIMIT) is True
