"""`PriorityExecutor`: who is first, and what else it is."""

from __future__ import annotations

import asyncio
import concurrent.futures
import operator
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.waiting import LIMIT, Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ours


@pytest.fixture
def pool(gate: Gate) -> Iterator[treadle.PriorityExecutor]:
    """One worker, which waits at the gate: what is submitted is sorted before it runs."""
    with treadle.PriorityExecutor(workers=1) as pool:
        occupy(pool, gate, 1)
        yield pool
        gate.open()


def in_order_of_their_run(
    pool: treadle.PriorityExecutor, gate: Gate, submissions: list[tuple[Any, ...]]
) -> list[Any]:
    """What the last item of each submission is, in the order in which they run."""
    ran: list[Any] = []
    futures = [
        pool.submit(*submission[:-1], ran.append, submission[-1]) for submission in submissions
    ]
    gate.open()
    concurrent.futures.wait(futures, LIMIT)
    return ran


def test_the_lowest_runs_first(pool: treadle.PriorityExecutor, gate: Gate) -> None:
    numbers = [3, -1, 0, 2**63 - 1, -(2**63), 10, -7]
    ran = in_order_of_their_run(pool, gate, [(number, number) for number in numbers])
    assert ran == sorted(numbers)


def test_equals_run_in_the_order_of_their_submission(
    pool: treadle.PriorityExecutor, gate: Gate
) -> None:
    submissions = [(number % 3, (number % 3, number)) for number in range(200)]
    assert in_order_of_their_run(pool, gate, submissions) == sorted(
        submission[1] for submission in submissions
    )


def test_without_a_priority_it_is_zero(pool: treadle.PriorityExecutor, gate: Gate) -> None:
    submissions = [(1, "1"), ("none, first",), (0, "0"), (-1, "-1"), ("none, last",)]
    assert in_order_of_their_run(pool, gate, submissions) == [
        "-1", "none, first", "0", "none, last", "1",
    ]  # fmt: skip


def test_anything_that_is_an_index_is_a_priority(
    pool: treadle.PriorityExecutor, gate: Gate
) -> None:
    class Level:
        def __index__(self) -> int:
            return -5

    assert in_order_of_their_run(pool, gate, [(0, "later"), (Level(), "first")]) == [
        "first", "later",
    ]  # fmt: skip


@pytest.mark.parametrize("priority", [True, False, 1.5, "1", None, [1]])
def test_what_is_no_priority_is_refused(pool: treadle.PriorityExecutor, priority: Any) -> None:
    before = pool._queue_size()
    with pytest.raises(TypeError, match="a priority must be an int, not"):
        pool.submit(priority, abs, -1)
    assert pool._queue_size() == before


@pytest.mark.parametrize("priority", [2**63, -(2**63) - 1, 10**30])
def test_a_priority_has_64_bits(pool: treadle.PriorityExecutor, priority: int) -> None:
    with pytest.raises(ValueError, match=f"from -2\\*\\*63 to 2\\*\\*63 - 1, not {priority}"):
        pool.submit(priority, abs, -1)


def test_a_function_is_needed(pool: treadle.PriorityExecutor) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'fn'$"):
        pool.submit()  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'fn', behind the priority"):
        pool.submit(3)  # type: ignore[call-overload]


def test_a_coroutine_function_is_refused(pool: treadle.PriorityExecutor) -> None:
    async def coroutine_function() -> None:
        pass

    with pytest.raises(TypeError, match="coroutine_function is a coroutine function"):
        pool.submit(3, coroutine_function)


def test_workers_is_another_word_for_max_workers() -> None:
    for arguments, options in (((3,), {}), ((), {"max_workers": 3}), ((), {"workers": 3})):
        with treadle.PriorityExecutor(*arguments, **options) as pool:
            assert pool._max_workers == 3
    with pytest.raises(TypeError, match="max_workers=2 or workers=3, not both"):
        treadle.PriorityExecutor(2, workers=3)
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        treadle.PriorityExecutor(workers=0)


@pytest.mark.parametrize("aging", [0, -1, float("nan"), float("inf")])
def test_aging_is_positive_and_finite(aging: float) -> None:
    with pytest.raises(ValueError, match=f"aging must be positive, finite.*not {aging}"):
        treadle.PriorityExecutor(1, aging=aging)


@pytest.mark.parametrize("aging", [True, "1", [1]])
def test_aging_is_a_number(aging: Any) -> None:
    with pytest.raises(TypeError, match="aging must be a number of seconds or None, not"):
        treadle.PriorityExecutor(1, aging=aging)


def test_it_is_a_thread_pool_executor(gate: Gate) -> None:
    started: list[str] = []
    with treadle.PriorityExecutor(2, "urgent", started.append, ("initialized",)) as pool:
        assert isinstance(pool, treadle.ThreadPoolExecutor)
        assert isinstance(pool, concurrent.futures.ThreadPoolExecutor)
        name = pool.submit(lambda: threading.current_thread().name).result(LIMIT)
        assert name.startswith("urgent")
        assert started
        assert list(pool.map(operator.add, [1, 2], [3, 4])) == [4, 6]
        assert sorted(pool.map_unordered(abs, [-1, -2])) == [1, 2]
        assert [future.result(LIMIT) for future in pool.submit_many(abs, [-1, -2])] == [1, 2]
        assert list(pool.stream(abs, [-1, -2])) == [1, 2]
        assert list(pool.iterate(range, 3)) == [0, 1, 2]
        with pytest.raises(ValueError, match="in the worker"):
            pool.submit(1, throw, ValueError("in the worker")).result(LIMIT)
    assert outcome(pool.submit, 1, abs, -1) == outcome(pool.submit, abs, -1)


def test_event_loops_use_it(gate: Gate) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        return [
            await pool.submit(5, abs, -1),
            await loop.run_in_executor(pool, abs, -2),
            await loop.run_in_executor(None, abs, -3),
            await asyncio.to_thread(abs, -4),
        ]

    with treadle.PriorityExecutor(2) as pool:
        assert asyncio.run(main()) == [1, 2, 3, 4]


def test_calls_of_a_map_have_their_place_among_the_others(
    pool: treadle.PriorityExecutor, gate: Gate
) -> None:
    ran: list[Any] = []
    pool.submit(ran.append, "before")
    results = pool.map(ran.append, ["first of map", "second of map"])
    pool.submit(ran.append, "after")
    pool.submit(-1, ran.append, "urgent")
    gate.open()
    list(results)
    pool.shutdown()
    assert ran == ["urgent", "before", "first of map", "second of map", "after"]


def test_a_task_that_waits_may_be_moved(pool: treadle.PriorityExecutor, gate: Gate) -> None:
    ran: list[str] = []
    futures = {name: pool.submit(1, ran.append, name) for name in "abcd"}
    assert pool.reprioritize(futures["c"], -1)
    assert pool.reprioritize(futures["a"], 1)  # behind its equals
    assert pool.reprioritize(futures["b"], 2)
    futures["d"].cancel()
    assert not pool.reprioritize(futures["d"], 0)
    gate.open()
    concurrent.futures.wait(futures.values(), LIMIT)
    assert ran == ["c", "a", "b"]
    assert not pool.reprioritize(futures["a"], 0)


def test_only_tasks_of_the_pool_may_be_moved(pool: treadle.PriorityExecutor, executor: Any) -> None:
    for future in (executor.submit(int), treadle.Future(), concurrent.futures.Future(), None):
        with pytest.raises(ValueError, match="must be one of this executor"):
            pool.reprioritize(future, 1)
    with pytest.raises(TypeError, match="a priority must be an int"):
        pool.reprioritize(pool.submit(int), "high")  # type: ignore[arg-type]


def test_a_cancelled_task_leaves_the_queue_at_once(pool: treadle.PriorityExecutor) -> None:
    before = pool._queue_size()
    futures = [pool.submit(number % 5, abs, number) for number in range(100)]
    for future in futures[::2]:
        assert future.cancel()
    assert pool._queue_size() == before + 50
    for future in futures[1::2]:
        assert future.cancel()
    assert pool._queue_size() == before


def test_cancelling_from_callbacks_of_the_shutdown_is_safe(gate: Gate) -> None:
    pool = treadle.PriorityExecutor(1)
    occupy(pool, gate, 1)
    futures = [pool.submit(number % 7, abs, number) for number in range(200)]
    for future in futures:
        future.add_done_callback(lambda _: [other.cancel() for other in futures])
    gate.open()
    pool.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)


def test_a_task_may_wait_for_tasks_of_its_pool() -> None:
    with treadle.PriorityExecutor(1) as pool:

        def outer() -> list[int]:
            return [pool.submit(number, abs, -number).result() for number in range(5)]

        assert pool.submit(9, outer).result(LIMIT) == [0, 1, 2, 3, 4]


def test_aging_tells_the_priority_that_was_given(gate: Gate) -> None:
    with treadle.PriorityExecutor(1, aging=0.001) as pool:
        tasks = [pool.submit(priority, treadle.current_task) for priority in (5, 5, -3, 0)]
        assert [task.result(LIMIT).priority for task in tasks] == [5, 5, -3, 0]  # type: ignore[union-attr]
