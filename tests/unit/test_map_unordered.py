"""`map_unordered`: results as they come, with the limits and the cancellation of `map`."""

from __future__ import annotations

import concurrent.futures
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import treadle

pytestmark = pytest.mark.ours

each_buffersize = pytest.mark.parametrize("buffersize", [None, 1, 3, 100])


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@each_buffersize
def test_every_result_comes_once(pool: treadle.ThreadPoolExecutor, buffersize: int | None) -> None:
    results = pool.map_unordered(str, range(500), buffersize=buffersize)
    assert sorted(results, key=int) == [str(number) for number in range(500)]
    assert list(pool.map_unordered(str, [], buffersize=buffersize)) == []
    assert list(pool.map_unordered(str)) == []


@each_buffersize
def test_several_iterables_go_in_step(
    pool: treadle.ThreadPoolExecutor, buffersize: int | None
) -> None:
    results = pool.map_unordered(pow, [2, 3, 4], itertools.count(1), buffersize=buffersize)
    assert sorted(results) == [2, 9, 64]


def test_one_worker_gives_the_results_in_order(make_executor: Callable[..., Any]) -> None:
    assert list(make_executor(1).map_unordered(int, range(100))) == list(range(100))


@pytest.mark.parametrize("buffersize", [None, 2, 5])
def test_the_first_to_end_comes_first(
    make_executor: Callable[..., Any], gate: Gate, buffersize: int | None
) -> None:
    def task(number: int) -> int:
        return gate.wait(0) if number == 0 else number

    results = make_executor(2).map_unordered(task, range(3), buffersize=buffersize)
    assert [next(results), next(results)] == [1, 2]
    gate.open()
    assert next(results) == 0
    assert next(results, "end") == "end"


def test_the_items_are_taken_and_started_by_the_call(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    ran: list[int] = []
    items = iter(range(20))
    results = pool.map_unordered(ran.append, items)
    assert list(items) == []
    assert eventually(lambda: len(ran) == 20)
    del results


@pytest.mark.parametrize("buffersize", [1, 4])
def test_a_buffer_bounds_what_is_taken_ahead(
    pool: treadle.ThreadPoolExecutor, buffersize: int
) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = pool.map_unordered(int, items(), buffersize=buffersize)
    assert len(taken) <= buffersize
    seen = set()
    for count in range(1, 30):
        seen.add(next(results))
        assert len(taken) <= buffersize + count
    assert len(seen) == 29


@each_buffersize
def test_an_exception_is_raised_when_its_item_ends(
    make_executor: Callable[..., Any], buffersize: int | None
) -> None:
    results = make_executor(1).map_unordered(
        divmod, [1, 2, 3, 4], [1, 1, 0, 1], buffersize=buffersize
    )
    assert [next(results), next(results)] == [(1, 0), (2, 0)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results, "end") == "end"


@pytest.mark.parametrize("buffersize", [None, 2])
@pytest.mark.parametrize("timeout", [0.01, 0, -1])
def test_time_runs_out(
    pool: treadle.ThreadPoolExecutor, gate: Gate, timeout: float, buffersize: int | None
) -> None:
    results = pool.map_unordered(gate.wait, [1], timeout=timeout, buffersize=buffersize)
    with pytest.raises(concurrent.futures.TimeoutError) as caught:
        next(results)
    assert type(caught.value) is concurrent.futures.TimeoutError
    assert next(results, "end") == "end"


@pytest.mark.parametrize("buffersize", [None, 50])
def test_closing_the_iterator_cancels_what_has_not_started(
    make_executor: Callable[..., Any], gate: Gate, buffersize: int | None
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        if number == 1:
            gate.wait()
        return number

    results = pool.map_unordered(task, range(100), buffersize=buffersize)
    assert next(results) == 0
    gate.await_arrivals()
    results.close()
    assert next(results, "end") == "end"
    gate.open()
    pool.shutdown()
    assert ran == [0, 1]


def test_shutdown_with_cancellation_ends_the_iterator(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    results = pool.map_unordered(int, range(100))
    pool.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(concurrent.futures.CancelledError):
        next(results)


def test_a_result_that_was_read_is_not_kept(pool: treadle.ThreadPoolExecutor) -> None:
    results = pool.map_unordered(lambda _: Thing(), range(5))
    for _ in range(5):
        reference = weakref.ref(next(results))
        assert eventually_dead(reference)


def test_a_pool_that_is_down_takes_nothing(pool: treadle.ThreadPoolExecutor) -> None:
    pool.shutdown()
    expected = ("raised", RuntimeError, "cannot schedule new futures after shutdown")
    assert outcome(pool.map_unordered, int, [1]) == expected


def test_wrong_sizes_of_the_buffer_are_refused_as_by_map(pool: treadle.ThreadPoolExecutor) -> None:
    for buffersize in (0, -1, "1", 1.0):
        expected = outcome(pool.map, int, [1], buffersize=buffersize)
        assert expected[1] in (TypeError, ValueError)
        assert outcome(pool.map_unordered, int, [1], buffersize=buffersize) == expected


def test_an_overriding_submit_is_used(executor_type: type[Any], workers: int) -> None:
    class Doubling(executor_type):  # type: ignore[misc]
        """Submits twice the number."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(lambda: 2 * fn(*args, **kwargs))

    with Doubling(workers) as pool:
        assert sorted(pool.map_unordered(int, [1, 2, 3])) == [2, 4, 6]
        assert pool.submit(int, 4).result(LIMIT) == 8
