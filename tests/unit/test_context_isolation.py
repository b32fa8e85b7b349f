"""What a nested task or a callback sets is seen by no other task, not even without a context.

Everything is submitted from an empty context: for such a task the pool has no context to enter.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

pytestmark = [pytest.mark.ours, pytest.mark.worker_counts(1, 2)]

variable: ContextVar[str] = ContextVar("variable", default="unset")


def submit_from_nothing(pool: Any, function: Callable[..., Any], *args: Any) -> Future[Any]:
    return contextvars.Context().run(pool.submit, function, *args)


WAITS: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.result(),
    "result with a limit": lambda future: future.result(LIMIT),
    "exception": lambda future: future.exception(),
    "wait": lambda future: treadle.wait([future]),
    "as_completed": lambda future: list(treadle.as_completed([future])),
    "standard wait": lambda future: concurrent.futures.wait([future]),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_nested_task_s_value_is_not_seen_by_the_waiting_task(
    executor: Any, wait: Callable[[Any], Any]
) -> None:
    def outer() -> str:
        wait(executor.submit(variable.set, "nested"))
        return variable.get()

    for _ in range(5):
        assert submit_from_nothing(executor, outer).result(LIMIT) == "unset"


def test_a_nested_task_s_value_does_not_replace_the_waiting_task_s(executor: Any) -> None:
    def inner() -> str:
        before = variable.get()
        variable.set("nested")
        return before

    def outer() -> tuple[str, str, str]:
        variable.set("outer")
        first = submit_from_nothing(executor, inner).result()
        second = executor.submit(inner).result()
        return first, second, variable.get()

    for _ in range(5):
        future = submit_from_nothing(executor, outer)
        assert future.result(LIMIT) == ("unset", "outer", "outer")


@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_values_of_mapped_tasks_are_not_seen_by_the_mapping_task(
    executor: Any, method: str
) -> None:
    def outer() -> str:
        list(getattr(executor, method)(variable.set, ["nested"] * 10))
        return variable.get()

    for _ in range(5):
        assert submit_from_nothing(executor, outer).result(LIMIT) == "unset"


def test_other_queued_tasks_values_are_not_seen_by_the_waiting_task(executor: Any) -> None:
    def outer() -> str:
        futures = [executor.submit(variable.set, "other") for _ in range(5)]
        treadle.wait(futures)
        return variable.get()

    for _ in range(5):
        assert submit_from_nothing(executor, outer).result(LIMIT) == "unset"


@pytest.mark.worker_counts(1)
def test_a_callback_s_value_is_not_seen_by_the_next_task(executor: Any, gate: Gate) -> None:
    called = threading.Event()
    first = submit_from_nothing(executor, gate.wait)
    gate.await_arrivals()
    first.add_done_callback(lambda _: (variable.set("from a callback"), called.set()))
    following = [submit_from_nothing(executor, variable.get) for _ in range(5)]
    gate.open()
    assert called.wait(LIMIT)
    assert {future.result(LIMIT) for future in following} == {"unset"}
    assert submit_from_nothing(executor, variable.get).result(LIMIT) == "unset"


@pytest.mark.worker_counts(1)
def test_a_nested_task_s_callback_s_value_is_not_seen_by_the_waiting_task(executor: Any) -> None:
    def outer(mine: str | None) -> str:
        if mine is not None:
            variable.set(mine)
        called = threading.Event()
        future = contextvars.Context().run(executor.submit, int)
        future.add_done_callback(lambda _: (variable.set("from a callback"), called.set()))
        assert future.result() == 0
        assert eventually(called.is_set)
        return variable.get()

    for _ in range(5):
        assert submit_from_nothing(executor, outer, None).result(LIMIT) == "unset"
        assert submit_from_nothing(executor, outer, "mine").result(LIMIT) == "mine"
