"""`current_task` gives the same object again while a call runs, and nothing is kept beyond that."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import treadle
from support.waiting import LIMIT

pytestmark = pytest.mark.ours


def look() -> Any:
    """What the calling task is."""
    return treadle.current_task()


def test_a_call_that_asks_again_gets_the_same(executor: Any) -> None:
    assert executor.submit(lambda: look() is look()).result(LIMIT)


def test_every_call_gets_its_own(executor: Any) -> None:
    tasks = [executor.submit(look).result(LIMIT) for _ in range(5)]
    assert len(set(tasks)) == 5
    assert {task.name for task in tasks} == {"look"}
    assert not any(task.cancel_requested for task in tasks)


def test_a_call_that_ran_another_is_itself_again(executor: Any) -> None:
    def outer() -> tuple[Any, Any, Any]:
        before = look()
        inner = executor.submit(look).result()  # with one worker it runs on this thread
        return before, inner, look()

    before, inner, after = executor.submit(outer).result(LIMIT)
    assert before.name == after.name == outer.__qualname__
    assert inner.name == "look"


def test_a_callback_is_no_call(executor: Any) -> None:
    names: list[str] = []

    def call() -> str:
        name: str = look().name
        return name

    future = executor.submit(call)
    future.add_done_callback(lambda _: names.append(getattr(look(), "name", "none")))
    assert future.result(LIMIT) == call.__qualname__
    executor.shutdown()
    assert names in ([""], ["none"])


def test_nothing_is_kept_when_the_call_has_ended(executor: Any) -> None:
    def call() -> None:
        look()

    future = executor.submit(call)
    future.result(LIMIT)
    alive = weakref.ref(future), weakref.ref(call)
    del future, call
    for number in range(3):
        assert executor.submit(int, number).result(LIMIT) == number
    gc.collect()
    assert [reference() for reference in alive] == [None, None]
