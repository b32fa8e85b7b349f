"""`options`: executors that share a pool and give their tasks what they say."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import copy
import pickle
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_a_view_is_an_executor_on_the_same_pool(executor: Any) -> None:
    view = executor.options(priority=-1)
    assert isinstance(view, concurrent.futures.Executor)
    here = executor.submit(threading.get_ident)
    assert here.result(LIMIT) in {thread.ident for thread in executor._threads}
    assert view.submit(threading.get_ident).result(LIMIT) in {
        thread.ident for thread in executor._threads
    }
    future = view.submit(pow, 2, exp=5)
    assert isinstance(future, treadle.Future)
    assert future.result(LIMIT) == 32


def test_a_view_goes_wherever_an_executor_goes(executor: Any) -> None:
    view = executor.options(priority=-1, name="task")

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        streamed = [item async for item in view.stream(abs, [-1])]
        return [await loop.run_in_executor(view, abs, -2), await view.submit(abs, -3), *streamed]

    assert asyncio.run(main()) == [2, 3, 1]
    assert list(view.map(abs, [-1, -2], buffersize=1)) == [1, 2]
    assert sorted(view.map_unordered(abs, [-1, -2])) == [1, 2]
    assert [future.result(LIMIT) for future in view.submit_many(abs, [-1, -2])] == [1, 2]
    assert list(view.iterate(range, 3)) == [0, 1, 2]
    done, _ = concurrent.futures.wait([view.submit(abs, -1)], LIMIT)
    assert done.pop().result() == 1


def test_the_order_on_a_plain_pool(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    ran: list[str] = []
    low, high = pool.options(priority=1), pool.options(priority=-1)
    named, soon = pool.options(name="named"), pool.options(deadline=LIMIT)
    for name, executor in (
        ("low", low), ("plain", pool), ("named", named), ("high", high),
        ("plain 2", pool), ("soon", soon), ("low 2", low), ("high 2", high),
    ):  # fmt: skip
        executor.submit(ran.append, name)
    gate.open()
    pool.shutdown()
    assert ran == ["high", "high 2", "soon", "plain", "named", "plain 2", "low", "low 2"]


def test_views_of_views_add_their_options(executor: Any) -> None:
    def seen() -> tuple[Any, ...]:
        task = treadle.current_task()
        assert task is not None
        return task.name, task.priority, task.deadline is not None

    outer = executor.options(name="outer", priority=3)
    inner = outer.options(name="inner", deadline=LIMIT)
    assert outer.submit(seen).result(LIMIT) == ("outer", 3, False)
    assert inner.submit(seen).result(LIMIT) == ("inner", 3, True)
    taken_back = inner.options(name=None, priority=None, deadline=None)
    name, priority, has_deadline = taken_back.submit(seen).result(LIMIT)
    assert name.endswith("seen")
    assert (priority, has_deadline) == (0, False)


def test_a_view_of_a_priority_executor_takes_priorities_unless_it_has_one() -> None:
    with treadle.PriorityExecutor(1) as pool:
        named = pool.options(name="task")
        assert named.submit(3, abs, -1).result(LIMIT) == 1
        assert named.submit(abs, -1).result(LIMIT) == 1
        fixed = pool.options(priority=2)
        with pytest.raises(TypeError, match="takes a function first, not 3"):
            fixed.submit(3, abs, -1)


def test_tasks_run_in_a_copy_of_the_context(executor: Any) -> None:
    context = contextvars.Context()
    context.run(variable.set, "given")

    def look_and_set() -> str:
        seen = variable.get()
        variable.set("changed")
        return seen

    view = executor.options(context=context)
    assert [view.submit(look_and_set).result(LIMIT) for _ in range(3)] == ["given"] * 3
    assert context[variable] == "given"
    variable.set("submitter's")
    assert executor.submit(variable.get).result(LIMIT) == "submitter's"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("priority", True, "a priority must be an int, not True"),
        ("priority", "high", "a priority must be an int, not 'high'"),
        ("name", 3, "name must be a string or None, not 3"),
        ("context", {}, "context must be a contextvars.Context or None, not {}"),
        ("deadline", "1", "deadline must be a number of seconds or None, not '1'"),
        ("timeout", True, "timeout must be a number of seconds or None, not True"),
        ("inherit", "no", "inherit must be True, False or None, not 'no'"),
        ("inherit", 0, "inherit must be True, False or None, not 0"),
    ],
)
def test_options_of_a_wrong_type_are_refused(
    executor: Any, option: str, value: object, message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        executor.options(**{option: value})
    assert str(caught.value) == message


@pytest.mark.parametrize("option", ["deadline", "timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), -float("inf"), 1e300])
def test_times_are_positive_and_finite(executor: Any, option: str, value: float) -> None:
    with pytest.raises(
        ValueError, match=f"{option} must be positive, finite .* not {re.escape(repr(value))}"
    ):
        executor.options(**{option: value})


def test_numbers_beyond_all_limits_are_refused_as_others_are(executor: Any) -> None:
    """Some are too long for a float, or to be shown."""
    for huge in (10**400, 10**5000):
        for option in ("deadline", "timeout", "priority"):
            with pytest.raises(ValueError, match=f"(a )?{option} must be .* not "):
                executor.options(**{option: huge})


def test_a_view_says_what_its_submit_takes(executor: Any) -> None:
    with pytest.raises(TypeError, match="pool without priorities takes a function first, not 3"):
        executor.options(name="view").submit(3, abs, -1)
    with pytest.raises(TypeError, match="fixed priority takes a function first, not 3"):
        executor.options(priority=1).submit(3, abs, -1)


def test_a_view_is_initialized_once(executor: Any) -> None:
    view = executor.options(name="once")
    with pytest.raises(RuntimeError, match="was called already"):
        view.__init__(executor, {}, None)
    assert view.submit(abs, -1).result(LIMIT) == 1


def test_a_view_that_was_not_initialized_says_so() -> None:
    view: Any = treadle._core.View()
    for use in (
        lambda: view.submit(abs, -1),
        lambda: view._end(True),
        lambda: view._wait_for_all(None),
        view._unfinished,
    ):
        with pytest.raises(RuntimeError, match=r"View.__init__\(\) was not called"):
            use()


def test_a_view_is_neither_copied_nor_pickled(executor: Any) -> None:
    view = executor.options(name="view")
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle"):
            copied(view)
    assert weakref.ref(view)() is view


def test_the_batch_of_a_view_is_queued_or_not(make_executor: Callable[..., Any]) -> None:
    gate = Gate()
    pools = [make_executor(1, max_pending=3, when_full="raise") for _ in range(2)]
    pools.append(treadle.PriorityExecutor(1, max_pending=3, when_full="raise"))  # without batches
    try:
        for pool, executor in (
            (pools[0], pools[0]),
            (pools[1], pools[1].options(name="view")),
            (pools[2], pools[2]),
        ):
            occupy(pool, gate, 1)
            with pytest.raises(treadle.errors.QueueFull):
                executor.submit_many(abs, [-1] * 4)
            assert pool.statistics().pending == 0
            assert len(executor.submit_many(abs, [-1] * 3)) == 3
    finally:
        gate.open()
        pools[2].shutdown()


def test_a_view_keeps_its_pool(make_executor: Callable[..., Any]) -> None:
    view = treadle.ThreadPoolExecutor(1).options(priority=1)
    assert view.submit(abs, -1).result(LIMIT) == 1
    assert "priority=1" in repr(view)
