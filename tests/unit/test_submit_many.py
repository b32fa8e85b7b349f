"""`submit_many`: a batch of calls in one go, each with a future of its own."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.ours


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


def test_the_futures_are_in_the_order_of_the_items(pool: treadle.ThreadPoolExecutor) -> None:
    futures = pool.submit_many(str, range(1000))
    assert type(futures) is list
    assert {type(future) for future in futures} == {treadle.Future}
    assert [future.result(LIMIT) for future in futures] == [str(n) for n in range(1000)]


def test_several_iterables_go_in_step_until_the_shortest_ends(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    futures = pool.submit_many(pow, [2, 3, 4], itertools.count(1))
    assert [future.result(LIMIT) for future in futures] == [2, 9, 64]
    assert pool.submit_many(str, []) == []


def test_one_worker_runs_the_batch_in_order_behind_what_came_before(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    ran: list[int] = []
    pool.submit(ran.append, -1)
    pool.submit_many(ran.append, range(100))
    pool.submit(ran.append, 100)
    gate.open()
    pool.shutdown()
    assert ran == list(range(-1, 101))


def test_all_workers_take_part(pool: treadle.ThreadPoolExecutor, workers: int) -> None:
    together = threading.Barrier(workers, timeout=LIMIT)
    futures = pool.submit_many(lambda _: together.wait(), range(3 * workers))
    assert sorted(future.result(LIMIT) for future in futures) == sorted(3 * list(range(workers)))
    assert len(pool._threads) == workers


def test_a_small_batch_starts_no_more_workers_than_it_has_calls(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(8)
    pool.submit_many(lambda _: gate.wait(), range(3))
    gate.await_arrivals(3)
    assert len(pool._threads) == 3


def test_each_future_can_be_cancelled(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    ran: list[int] = []
    futures = pool.submit_many(ran.append, range(20))
    assert all(future.cancel() for future in futures[::2])
    gate.open()
    pool.shutdown()
    assert sorted(ran) == list(range(1, 20, 2))


def test_shutdown_with_cancellation_cancels_the_batch(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    futures = pool.submit_many(int, range(20))
    pool.shutdown(wait=False, cancel_futures=True)
    assert concurrent.futures.wait(futures, LIMIT).done == set(futures)
    assert all(future.cancelled() for future in futures)


def test_each_future_keeps_its_own_exception(pool: treadle.ThreadPoolExecutor) -> None:
    errors = [ValueError(number) for number in range(50)]
    futures = pool.submit_many(throw, errors)
    assert [future.exception(LIMIT) for future in futures] == errors


def test_the_futures_work_with_everything(pool: treadle.ThreadPoolExecutor) -> None:
    futures = pool.submit_many(int, range(100))
    seen: list[Any] = []
    futures[0].add_done_callback(seen.append)
    assert treadle.wait(futures, LIMIT).not_done == set()
    assert set(treadle.as_completed(futures)) == set(futures)
    assert set(concurrent.futures.as_completed(futures)) == set(futures)
    assert futures[0].result(LIMIT) == 0


def test_a_pool_that_is_down_takes_nothing(pool: treadle.ThreadPoolExecutor) -> None:
    pool.shutdown()
    expected = ("raised", RuntimeError, "cannot schedule new futures after shutdown")
    assert outcome(pool.submit_many, int, [1]) == expected


def test_an_exception_of_the_iterable_comes_from_the_call(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    def items() -> Iterator[int]:
        yield 1
        message = "no second item"
        raise LookupError(message)

    with pytest.raises(LookupError, match="no second item"):
        pool.submit_many(int, items())
    assert pool.submit(int).result(LIMIT) == 0


def test_wrong_arguments_are_refused(pool: treadle.ThreadPoolExecutor) -> None:
    assert outcome(pool.submit_many)[1] is TypeError
    assert outcome(pool.submit_many, int)[1] is TypeError
    assert outcome(pool.submit_many, int, 5)[1] is TypeError
    assert outcome(pool.submit_many, int, [1], timeout=1)[1] is TypeError
    (future,) = pool.submit_many(5, [1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'int' object is not callable"):
        future.result(LIMIT)


def test_the_arguments_are_let_go_of(pool: treadle.ThreadPoolExecutor) -> None:
    things = [Thing() for _ in range(10)]
    references = [weakref.ref(thing) for thing in things]
    futures = pool.submit_many(id, things)
    things.clear()
    assert len({future.result(LIMIT) for future in futures}) == 10
    assert all(eventually_dead(reference) for reference in references)


def test_an_overriding_submit_is_used(executor_type: type[Any], workers: int) -> None:
    class Doubling(executor_type):  # type: ignore[misc]
        """Submits twice the number."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(lambda: 2 * fn(*args, **kwargs))

    with Doubling(workers) as pool:
        assert [future.result(LIMIT) for future in pool.submit_many(int, [1, 2])] == [2, 4]
