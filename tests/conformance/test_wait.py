"""`wait`: the standard library's and the native one, on any mix of futures."""

from __future__ import annotations

import concurrent.futures
import weakref
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

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


def is_watched(future: Future[Any]) -> bool:
    """Whether somebody waits for the future (a treadle future need not tell how)."""
    return bool(future._waiters) or isinstance(future, treadle.Future)


def cancel_and_notify(future: Future[Any]) -> None:
    future.cancel()
    future.set_running_or_notify_cancel()


def test_the_answer_is_a_named_pair_of_sets(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    done, pending = make_futures(2)
    done.set_result(1)
    answer = library.wait([done, pending], timeout=0)
    assert answer == ({done}, {pending})
    assert (answer.done, answer.not_done) == ({done}, {pending})
    assert type(answer).__name__ == "DoneAndNotDoneFutures"
    assert type(answer.done) is set
    assert type(answer.not_done) is set


def test_all_futures_are_waited_for(library: Library, make_futures: Callable[..., Any]) -> None:
    futures = make_futures(6)
    futures[0].set_result(0)
    waiting = in_thread(library.wait, futures)
    futures[1].set_result(1)
    futures[2].set_exception(ValueError())
    cancel_and_notify(futures[3])
    futures[4].set_running_or_notify_cancel()
    futures[5].set_result(5)
    waiting.thread.join(0.02)
    assert waiting.thread.is_alive()
    futures[4].set_result(4)
    assert waiting.get() == (set(futures), set())


def test_the_first_to_complete_ends_the_wait(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(3)
    waiting = in_thread(lambda: library.wait(futures, LIMIT, FIRST_COMPLETED))
    assert eventually(lambda: all(is_watched(future) for future in futures))
    futures[1].set_result(1)
    done, not_done = waiting.get()
    assert futures[1] in done
    assert done | not_done == set(futures)
    assert futures[0] in not_done


def test_one_completed_before_the_wait_ends_it(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(3)
    cancel_and_notify(futures[2])
    answer = library.wait(futures, return_when=FIRST_COMPLETED)
    assert answer == ({futures[2]}, set(futures[:2]))


def test_the_first_exception_ends_the_wait(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(4)
    waiting = in_thread(lambda: library.wait(futures, return_when=FIRST_EXCEPTION))
    futures[0].set_result(0)
    cancel_and_notify(futures[1])
    waiting.thread.join(0.02)
    assert waiting.thread.is_alive()
    futures[2].set_exception(ValueError())
    assert waiting.get() == (set(futures[:3]), {futures[3]})


def test_an_exception_before_the_wait_ends_it(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(3)
    futures[0].set_exception(ValueError())
    answer = library.wait(futures, return_when=FIRST_EXCEPTION)
    assert answer == ({futures[0]}, set(futures[1:]))


def test_a_cancelled_future_is_no_exception(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(2)
    cancel_and_notify(futures[0])
    answer = library.wait(futures, 0.01, return_when=FIRST_EXCEPTION)
    assert answer == ({futures[0]}, {futures[1]})


def test_without_exceptions_all_are_waited_for(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(3)
    waiting = in_thread(lambda: library.wait(futures, return_when=FIRST_EXCEPTION))
    for future in futures:
        future.set_result(None)
    assert waiting.get() == (set(futures), set())


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
@pytest.mark.parametrize("when", [ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION])
def test_time_runs_out_without_an_error(
    library: Library, make_futures: Callable[..., Any], timeout: float, when: str
) -> None:
    futures = make_futures(3)
    assert library.wait(futures, timeout, when) == (set(), set(futures))
    futures[0].set_running_or_notify_cancel()
    assert library.wait(fs=futures, timeout=timeout, return_when=when) == (set(), set(futures))


def test_duplicates_count_once(library: Library, make_futures: Callable[..., Any]) -> None:
    (future,) = make_futures(1)
    waiting = in_thread(library.wait, [future] * 5)
    future.set_result(1)
    assert waiting.get() == ({future}, set())


@pytest.mark.parametrize("make", [list, tuple, set, iter, frozenset, dict.fromkeys])
def test_any_iterable_is_accepted(library: Library, make: Callable[..., Any]) -> None:
    futures = [library.future_type() for _ in range(3)]
    for future in futures:
        future.set_result(None)
    assert library.wait(make(futures)) == (set(futures), set())


def test_no_futures_are_done_at_once(library: Library) -> None:
    for when in (ALL_COMPLETED, FIRST_EXCEPTION):
        assert library.wait([], return_when=when) == (set(), set())


def test_a_wrong_condition_is_refused_as_by_the_standard_library(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(2)
    expected = ("raised", ValueError, "Invalid return condition: 'SOMETIME'")
    assert outcome(library.wait, futures, 1, "SOMETIME") == expected
    assert outcome(library.wait, futures, None, None)[1] is ValueError


@pytest.mark.parametrize("wrong", [5, None, [5], ["future"], [None]], ids=repr)
def test_what_is_no_future_is_refused(library: Library, wrong: Any) -> None:
    kind = outcome(library.wait, wrong, 1)[1]
    assert kind is outcome(concurrent.futures.wait, wrong, 1)[1]
    assert issubclass(kind, (TypeError, AttributeError))


def test_a_limit_of_a_wrong_type_is_refused(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    assert outcome(library.wait, make_futures(1), "1")[1] is TypeError


def test_a_future_cancelled_while_queued_is_seen_when_its_worker_finds_it(
    library: Library, executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    futures = [executor.submit(int) for _ in range(3)]
    waiting = in_thread(library.wait, futures)
    futures[0].cancel()
    gate.open()
    assert waiting.get() == (set(futures), set())


def test_a_wait_leaves_nothing_behind(library: Library, make_futures: Callable[..., Any]) -> None:
    futures = make_futures(3)
    library.wait(futures, 0.001)
    library.wait(futures, 0)
    assert all(future._waiters == [] for future in futures)
    assert all(future._done_callbacks == [] for future in futures)
    for future in futures:
        with future._condition:
            assert not future.done()


def test_many_threads_may_wait_for_the_same_futures(
    library: Library, executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    futures = [*occupy(executor, gate, workers), *(executor.submit(int) for _ in range(100))]
    waits = [in_thread(library.wait, futures) for _ in range(8)]
    reverse = [in_thread(library.wait, futures[::-1], LIMIT) for _ in range(4)]
    gate.open()
    for waiting in waits + reverse:
        assert waiting.get() == (set(futures), set())


def test_tasks_of_both_libraries_are_waited_for_together(
    library: Library, make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    standard = make_executor(2, executor_type=concurrent.futures.ThreadPoolExecutor)
    native = make_executor(2, executor_type=treadle.ThreadPoolExecutor)
    futures = [pool.submit(gate.wait) for pool in (standard, native) for _ in range(4)]
    waiting = in_thread(library.wait, futures)
    gate.open()
    assert waiting.get() == (set(futures), set())


def test_the_waiting_thread_keeps_no_future(
    library: Library, make_futures: Callable[..., Any]
) -> None:
    futures = make_futures(3)
    references: list[weakref.ref[Any]] = [weakref.ref(future) for future in futures]
    for future in futures:
        future.set_result(None)
    library.wait(futures)
    del futures, future
    assert all(eventually_dead(reference) for reference in references)
