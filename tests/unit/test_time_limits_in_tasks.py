"""A task that waits with a limit for its own pool gets its answer, or hears that time is up."""

from __future__ import annotations

import concurrent.futures
import time
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

SHORT = 0.05
"""What the tasks wait; the futures they wait for end only when the gate opens, after the test."""

PROMPT = 2.0
"""Seconds in which a short limit must have made itself felt."""

LIMITED: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.result(SHORT),
    "exception": lambda future: future.exception(SHORT),
    "wait": lambda future: treadle.wait([future], SHORT),
    "wait for the first": lambda future: treadle.wait([future], SHORT, "FIRST_COMPLETED"),
    "as_completed": lambda future: list(treadle.as_completed([future], SHORT)),
    "standard wait": lambda future: concurrent.futures.wait([future], SHORT),
}

each_limited = pytest.mark.parametrize("limited", LIMITED.values(), ids=LIMITED)


def time_is_up(limited: Callable[[Any], Any], future: Any) -> bool:
    """Whether the wait says in time that the future has not ended."""
    start = time.monotonic()
    try:
        waited = limited(future)
    except concurrent.futures.TimeoutError:
        up = True
    else:
        up = getattr(waited, "done", None) == set()
    return up and SHORT / 2 < time.monotonic() - start < PROMPT


@each_limited
def test_for_a_task_that_runs_elsewhere(
    make_executor: Callable[..., Any], gate: Gate, limited: Callable[[Any], Any]
) -> None:
    pool = make_executor(2)
    (running,) = occupy(pool, gate, 1)
    assert pool.submit(time_is_up, limited, running).result(10)


@each_limited
def test_for_a_task_that_runs_elsewhere_while_long_ones_are_queued(
    make_executor: Callable[..., Any], gate: Gate, limited: Callable[[Any], Any]
) -> None:
    pool = make_executor(2)
    (running,) = occupy(pool, gate, 1)

    def outer() -> bool:
        for _ in range(4):
            pool.submit(gate.wait)
        return time_is_up(limited, running)

    assert pool.submit(outer).result(10)


@each_limited
def test_for_a_long_task_that_is_queued(
    executor: Any, gate: Gate, limited: Callable[[Any], Any]
) -> None:
    assert executor.submit(lambda: time_is_up(limited, executor.submit(gate.wait))).result(10)


@each_limited
def test_for_the_last_of_many_long_tasks(
    executor: Any, gate: Gate, limited: Callable[[Any], Any]
) -> None:
    def outer() -> bool:
        futures = [executor.submit(gate.wait) for _ in range(10)]
        return time_is_up(limited, futures[-1])

    assert executor.submit(outer).result(10)


@each_limited
def test_for_a_future_of_nobody_while_long_tasks_are_queued(
    executor: Any, gate: Gate, limited: Callable[[Any], Any]
) -> None:
    def outer() -> bool:
        for _ in range(4):
            executor.submit(gate.wait)
        return time_is_up(limited, treadle.Future())

    assert executor.submit(outer).result(10)


@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_for_a_map_of_long_tasks(executor: Any, gate: Gate, method: str) -> None:
    def outer() -> bool:
        iterator = getattr(executor, method)(gate.wait, [1, 2, 3], timeout=SHORT)
        return time_is_up(lambda _: next(iterator), None)

    assert executor.submit(outer).result(10)


@pytest.mark.parametrize("timeout", [None, LIMIT])
@pytest.mark.parametrize("module", [treadle, concurrent.futures], ids=["treadle", "std"])
@pytest.mark.worker_counts(1)
def test_a_task_s_own_child_completes_in_time_with_one_worker(
    executor: Any, module: Any, timeout: float | None
) -> None:
    def outer() -> list[Any]:
        waited, read = executor.submit(int, 3), executor.submit(int, 4)
        return [
            executor.submit(int, 1).result(timeout),
            executor.submit(int, 2).exception(timeout),
            [future.result(0) for future in module.wait([waited], timeout).done],
            [future.result(0) for future in module.as_completed([read], timeout)],
            list(executor.map(int, range(5), timeout=timeout)),
            sorted(executor.map_unordered(int, range(5), timeout=timeout)),
        ]

    expected = [1, None, [3], [4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    futures = [executor.submit(outer) for _ in range(10)]
    assert [future.result(LIMIT) for future in futures] == [expected] * 10
