"""Context variables: a task sees its submitter's, and keeps its changes to itself."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.ours

variable: ContextVar[str] = ContextVar("variable", default="unset")
other: ContextVar[str] = ContextVar("other", default="unset")


def with_value(value: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls the function in a context in which the variable has the value."""
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context.run(function, *args, **kwargs)


def test_a_task_sees_the_variables_of_its_submitter(executor: ThreadPoolExecutor) -> None:
    futures = [with_value(str(n), executor.submit, variable.get) for n in range(100)]
    assert [future.result(LIMIT) for future in futures] == [str(n) for n in range(100)]
    assert executor.submit(variable.get).result(LIMIT) == "unset"


def test_a_task_sees_the_values_at_its_submission(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    def submit_and_change() -> Any:
        future = executor.submit(variable.get)
        variable.set("later")
        return future

    occupy(executor, gate, workers)
    future = with_value("at submission", submit_and_change)
    gate.open()
    assert future.result(LIMIT) == "at submission"


def test_a_change_reaches_neither_later_tasks_nor_the_submitter(
    executor: ThreadPoolExecutor,
) -> None:
    def change() -> str:
        before = variable.get()
        variable.set("changed")
        other.set("changed")
        return before

    def submit() -> None:
        for _ in range(20):
            assert executor.submit(change).result(LIMIT) == "mine"
            assert executor.submit(other.get).result(LIMIT) == "unset"
        assert variable.get() == "mine"

    with_value("mine", submit)
    for _ in range(20):
        assert executor.submit(change).result(LIMIT) == "unset"
        assert executor.submit(other.get).result(LIMIT) == "unset"
    assert variable.get() == "unset"


def test_tasks_of_one_submitter_do_not_share_their_changes(executor: ThreadPoolExecutor) -> None:
    def submit_all() -> list[Any]:
        return [executor.submit(lambda: (variable.get(), variable.set("x"))) for _ in range(50)]

    futures = with_value("shared", submit_all)
    assert {future.result(LIMIT)[0] for future in futures} == {"shared"}


def test_an_empty_context_hides_everything(executor: ThreadPoolExecutor) -> None:
    def submit_from_nothing() -> Any:
        return contextvars.Context().run(executor.submit, variable.get)

    assert with_value("hidden", submit_from_nothing).result(LIMIT) == "unset"


def test_the_context_of_a_task_can_be_copied_and_run(executor: ThreadPoolExecutor) -> None:
    def task() -> tuple[str, str]:
        copy = contextvars.copy_context()
        copy.run(variable.set, "inner")
        return variable.get(), copy[variable]

    assert with_value("outer", executor.submit, task).result(LIMIT) == ("outer", "inner")
    assert executor.submit(task).result(LIMIT) == ("unset", "inner")


def test_a_submitted_run_of_a_context_keeps_that_context(executor: ThreadPoolExecutor) -> None:
    context = contextvars.copy_context()
    context.run(variable.set, "given")
    assert executor.submit(context.run, variable.get).result(LIMIT) == "given"
    executor.submit(context.run, variable.set, "changed").result(LIMIT)
    assert context[variable] == "changed"


def test_a_task_s_tasks_see_its_changes(executor: ThreadPoolExecutor) -> None:
    def outer() -> Any:
        variable.set("from the task")
        return executor.submit(variable.get)

    assert executor.submit(outer).result(LIMIT).result(LIMIT) == "from the task"


def test_a_task_that_helps_runs_the_other_in_the_other_s_context(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)

    def inner() -> str:
        before = variable.get()
        variable.set("inner")
        return before

    def outer() -> tuple[str, str]:
        future = contextvars.Context().run(pool.submit, inner)
        return future.result(LIMIT), variable.get()

    assert with_value("outer", pool.submit, outer).result(LIMIT) == ("unset", "outer")


@pytest.mark.parametrize("buffersize", [None, 2])
@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_map_propagates_the_context_of_its_caller(
    executor: Any, method: str, buffersize: int | None
) -> None:
    def task(number: int) -> tuple[str, int]:
        before = variable.get()
        variable.set("changed")
        return before, number

    def run() -> list[Any]:
        return sorted(getattr(executor, method)(task, range(20), buffersize=buffersize))

    assert with_value("mapped", run) == [("mapped", number) for number in range(20)]
    assert run() == [("unset", number) for number in range(20)]


def test_submit_many_propagates_the_context_of_its_caller(executor: Any) -> None:
    futures = with_value("many", executor.submit_many, lambda _: variable.get(), range(20))
    assert {future.result(LIMIT) for future in futures} == {"many"}


def test_propagation_can_be_turned_off(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    pool = make_executor(workers, propagate_context=False)
    together = threading.Barrier(workers, timeout=LIMIT)
    for future in [pool.submit(together.wait) for _ in range(workers)]:
        future.result(LIMIT)
    for _ in range(20):
        assert with_value("unseen", pool.submit, variable.get).result(LIMIT) == "unset"
    assert with_value("unseen", lambda: list(pool.map(lambda _: variable.get(), "ab"))) == [
        "unset",
        "unset",
    ]


@pytest.mark.parametrize("propagate", [True, False])
def test_what_an_initializer_has_set_stays_visible(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int, propagate: bool
) -> None:
    pool = make_executor(
        workers,
        initializer=variable.set,
        initargs=("initialised",),
        propagate_context=propagate,
    )
    from_nothing = [contextvars.Context().run(pool.submit, variable.get) for _ in range(20)]
    assert {future.result(LIMIT) for future in from_nothing} == {"initialised"}
    context = contextvars.Context()
    context.run(other.set, "something else")
    futures = [context.run(pool.submit, lambda: (variable.get(), other.get())) for _ in range(20)]
    seen = {future.result(LIMIT) for future in futures}
    assert {first for first, _ in seen} == {"initialised"}
    if propagate:
        assert {second for _, second in seen} == {"something else"}


def test_a_task_s_change_of_an_initialised_variable_does_not_stay(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    pool = make_executor(workers, initializer=variable.set, initargs=("initialised",))

    def change() -> str:
        before = variable.get()
        variable.set("changed")
        return before

    assert {pool.submit(change).result(LIMIT) for _ in range(20)} == {"initialised"}


def test_the_submitter_s_value_hides_the_initializer_s(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1, initializer=variable.set, initargs=("initialised",))
    assert with_value("mine", pool.submit, variable.get).result(LIMIT) == "mine"


def test_the_decimal_context_of_the_submitter_is_used(executor: ThreadPoolExecutor) -> None:
    with decimal.localcontext() as context:
        context.prec = 5
        future = executor.submit(lambda: decimal.Decimal(1) / 3)
        assert str(future.result(LIMIT)) == "0.33333"


def test_callbacks_run_in_the_context_of_whoever_completes(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    """As in the standard library: no context is kept for a callback, and it leaks nothing."""
    future = with_value("task", executor.submit, gate.wait)
    gate.await_arrivals()
    called = threading.Event()
    future.add_done_callback(lambda _: (variable.set("from a callback"), called.set()))
    gate.open()
    assert called.wait(LIMIT)
    assert {executor.submit(variable.get).result(LIMIT) for _ in range(20)} == {"unset"}


def test_each_asyncio_task_passes_its_own_context(executor: ThreadPoolExecutor) -> None:
    async def set_and_submit(value: str) -> str:
        variable.set(value)
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        first = await executor.submit(variable.get)  # type: ignore[misc]
        assert first == await loop.run_in_executor(executor, variable.get)
        return first

    async def main() -> list[str]:
        return await asyncio.gather(*(set_and_submit(str(number)) for number in range(20)))

    assert asyncio.run(main()) == [str(number) for number in range(20)]


def test_each_thread_passes_its_own_context(executor: ThreadPoolExecutor) -> None:
    def set_and_submit(value: str) -> str:
        variable.set(value)
        return executor.submit(variable.get).result(LIMIT)

    threads = [in_thread(set_and_submit, str(number)) for number in range(8)]
    assert [thread.get() for thread in threads] == [str(number) for number in range(8)]


def test_a_failing_task_leaves_no_change_behind(executor: ThreadPoolExecutor) -> None:
    def fail() -> None:
        variable.set("changed")
        int("wrong")

    for _ in range(20):
        assert isinstance(executor.submit(fail).exception(LIMIT), ValueError)
        assert isinstance(with_value("x", executor.submit, fail).exception(LIMIT), ValueError)
        assert executor.submit(variable.get).result(LIMIT) == "unset"
