"""`as_completed`: the standard library's and the native one, on any mix of futures."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, in_thread, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from support.libraries import Library


@pytest.fixture(params=["own", "standard", "mixed"])
def make_futures(request: pytest.FixtureRequest, library: Library) -> Callable[[int], list[Any]]:
    """Makes pending futures: of the library, of the standard one, or of both in turn."""
    classes = {
        "own": [library.future_type],
        "standard": [concurrent.futures.Future],
        "mixed": [library.future_type, concurrent.futures.Future, treadle.Future],
    }[request.param]

    def make(count: int) -> list[Any]:
        return [classes[number % len(classes)]() for number in range(count)]

    return make


def test_futures_come_in_the_order_of_their_ends(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(5)
    completed = iter(library.as_completed(futures, LIMIT))
    order = [3, 0, 4, 2, 1]
    for place, number in enumerate(order):
        if place == 1:
            waiting = in_thread(next, completed)
            futures[number].set_result(number)
            assert waiting.get() is futures[number]
            continue
        futures[number].set_result(number)
        assert next(completed) is futures[number]
    assert next(completed, "end") == "end"
    assert next(completed, "end") == "end"


def test_those_done_before_come_first(library: Library, make_futures: Callable[..., Any]) -> None:
    futures = make_futures(6)
    for future in futures[::2]:
        future.set_result(None)
    completed = iter(library.as_completed(futures))
    assert {next(completed) for _ in range(3)} == set(futures[::2])
    for future in futures[1::2]:
        future.set_exception(ValueError())
        assert next(completed) is future


def test_failed_and_cancelled_futures_come_too(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    returned, raised, cancelled = futures = make_futures(3)
    completed = iter(library.as_completed(futures, LIMIT))
    raised.set_exception(ValueError())
    assert next(completed) is raised
    cancelled.cancel()
    cancelled.set_running_or_notify_cancel()
    assert next(completed) is cancelled
    returned.set_result(1)
    assert list(completed) == [returned]


def test_duplicates_come_once(library: Library, make_futures: Callable[..., Any]) -> None:
    (future,) = make_futures(1)
    future.set_result(1)
    assert list(library.as_completed([future] * 3)) == [future]
    assert list(library.as_completed(itertools.repeat(future, 4))) == [future]


def test_no_futures_give_nothing(library: Library) -> None:
    assert list(library.as_completed([])) == []
    assert list(library.as_completed([], timeout=0)) == []


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
@pytest.mark.parametrize(("done", "pending"), [(0, 1), (2, 3), (5, 1)])
def test_time_runs_out_with_a_count_of_what_is_unfinished(
    library: Library,
    make_futures: Callable[..., Any],
    done: int,
    pending: int,
    timeout: float,
) -> None:
    futures = make_futures(done + pending)
    for future in futures[:done]:
        future.set_result(None)
    seen: list[Any] = []
    text = rf"^{pending} \(of {done + pending}\) futures unfinished$"
    with pytest.raises(concurrent.futures.TimeoutError, match=text) as caught:
        seen.extend(library.as_completed(futures, timeout))
    assert type(caught.value) is concurrent.futures.TimeoutError


def test_the_done_ones_come_before_the_time_runs_out(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(4)
    futures[1].set_result(None)
    futures[3].set_result(None)
    completed = iter(library.as_completed(futures, timeout=0))
    assert {next(completed), next(completed)} == {futures[1], futures[3]}
    with pytest.raises(concurrent.futures.TimeoutError, match=r"^2 \(of 4\) futures unfinished$"):
        next(completed)


def test_duplicates_count_once_in_the_error(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(2)
    with pytest.raises(concurrent.futures.TimeoutError, match=r"^2 \(of 2\) futures unfinished$"):
        list(library.as_completed(futures * 3, timeout=0))


@pytest.mark.parametrize("wrong", [5, None, [5], ["future"]], ids=repr)
def test_what_is_no_future_is_refused(library: Library, wrong: Any) -> None:
    kind = outcome(lambda: list(library.as_completed(wrong, 1)))[1]
    assert kind is outcome(lambda: list(concurrent.futures.as_completed(wrong, 1)))[1]


def test_a_yielded_future_is_not_kept(library: Library, make_futures: Callable[..., Any]) -> None:
    futures = make_futures(5)
    for future in futures:
        future.set_result(None)
    del future
    completed = iter(library.as_completed(futures[:]))
    next_one = next(completed)
    futures.clear()
    assert next_one.done()
    del next_one
    for _ in range(4):
        reference = weakref.ref(next(completed))
        assert eventually_dead(reference)


def test_a_yielded_future_is_not_kept_while_others_are_pending(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(4)
    completed = iter(library.as_completed(futures[:], LIMIT))
    while len(futures) > 1:
        futures.pop().set_result(None)
        reference = weakref.ref(next(completed))
        assert eventually_dead(reference)
    futures[0].set_result(None)
    assert list(completed) == futures


def test_stopping_early_leaves_nothing_behind(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(4)
    futures[0].set_result(None)
    completed = library.as_completed(futures)
    assert next(iter(completed)) is futures[0]
    del completed
    gc.collect()
    assert all(future._waiters == [] for future in futures[1:])
    assert all(future._done_callbacks == [] for future in futures[1:])


def test_all_tasks_of_a_pool_come(
    library: Library, executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    futures = [*occupy(executor, gate, workers), *(executor.submit(int) for _ in range(500))]
    futures += [executor.submit(throw, ValueError()) for _ in range(50)]
    assert futures[-1].cancel()
    gate.open()
    completed = list(library.as_completed(futures, LIMIT))
    assert len(completed) == len(futures)
    assert set(completed) == set(futures)
    assert all(future.done() for future in completed)


def test_two_readers_may_read_the_same_futures(
    library: Library, executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    futures = [*occupy(executor, gate, workers), *(executor.submit(int) for _ in range(50))]
    readers = [in_thread(lambda: set(library.as_completed(futures))) for _ in range(4)]
    gate.open()
    assert [reader.get() for reader in readers] == [set(futures)] * 4


def test_tasks_may_be_added_while_reading(library: Library, executor: ThreadPoolExecutor) -> None:
    seen = 0
    futures = {executor.submit(int, number) for number in range(10)}
    while futures:
        done = next(iter(library.as_completed(futures, LIMIT)))
        futures.remove(done)
        seen += 1
        if seen <= 50:
            futures.add(executor.submit(int))
    assert seen == 60
