"""`Executor.map`: eager, ordered, limited in time, and cancelling what is left."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor


def test_results_come_in_the_order_of_the_items(executor: ThreadPoolExecutor) -> None:
    assert list(executor.map(str, range(1000))) == [str(number) for number in range(1000)]


def test_several_iterables_go_in_step_until_the_shortest_ends(
    executor: ThreadPoolExecutor,
) -> None:
    assert list(executor.map(pow, [2, 3, 4], itertools.count(1))) == [2, 9, 64]
    assert list(executor.map(max, "a", "b", "c", "d")) == ["d"]
    assert list(executor.map(lambda *args: len(args), *[range(3)] * 9)) == [9, 9, 9]


def test_no_items_and_no_iterables_give_no_results(executor: ThreadPoolExecutor) -> None:
    assert list(executor.map(str, [])) == []
    assert list(executor.map(str)) == []
    assert list(executor.map(str, [1], [])) == []


def test_the_result_is_an_iterator_read_once(executor: ThreadPoolExecutor) -> None:
    results = executor.map(int, [1, 2])
    assert iter(results) is results
    assert next(results) == 1
    assert list(results) == [2]
    assert next(results, "end") == "end"
    assert next(results, "end") == "end"


def test_the_items_are_taken_and_started_by_the_call(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    ran: list[int] = []
    results = executor.map(lambda number: (ran.append(number), gate.wait()), items())
    assert taken == list(range(10))
    gate.await_arrivals(workers if workers < 10 else 10)
    gate.open()
    assert eventually(lambda: len(ran) == 10)
    del results


def test_all_workers_take_part(executor: ThreadPoolExecutor, workers: int) -> None:
    together = threading.Barrier(workers, timeout=LIMIT)
    results = executor.map(lambda _: together.wait(), range(3 * workers))
    assert sorted(results) == sorted(3 * list(range(workers)))


def test_an_exception_comes_at_its_item_and_ends_the_iterator(
    executor: ThreadPoolExecutor,
) -> None:
    results = executor.map(divmod, [1, 2, 3, 4], [1, 1, 0, 1])
    assert next(results) == (1, 0)
    assert next(results) == (2, 0)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results, "end") == "end"


@pytest.mark.parametrize("error_type", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_base_exception_of_an_item_comes_at_the_item(
    executor: ThreadPoolExecutor, error_type: type[BaseException]
) -> None:
    def task(number: int) -> int:
        if number == 1:
            raise error_type
        return number

    results = executor.map(task, range(3))
    assert next(results) == 0
    with pytest.raises(error_type):
        next(results)
    assert executor.submit(int).result(LIMIT) == 0


def test_what_cannot_be_called_fails_when_read(executor: ThreadPoolExecutor) -> None:
    results = executor.map(5, [1])  # type: ignore[arg-type,var-annotated]
    with pytest.raises(TypeError, match="'int' object is not callable"):
        next(results)


def test_an_exception_of_the_iterable_comes_from_the_call(executor: ThreadPoolExecutor) -> None:
    ran: list[int] = []

    def items() -> Iterator[int]:
        yield 1
        yield 2
        message = "no third item"
        raise LookupError(message)

    with pytest.raises(LookupError, match="no third item"):
        executor.map(ran.append, items())
    executor.shutdown()
    assert sorted(ran) == [1, 2]


def test_what_cannot_be_iterated_over_is_refused_at_once(executor: ThreadPoolExecutor) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as standard:
        for arguments in ((5,), ([1], None)):
            expected = outcome(standard.map, int, *arguments)
            assert expected[1] is TypeError
            assert outcome(executor.map, int, *arguments) == expected
        assert outcome(executor.map)[1] is TypeError
        assert outcome(executor.map, int, [1], limit=1)[1] is TypeError


def test_the_size_of_chunks_is_accepted_and_ignored(executor: ThreadPoolExecutor) -> None:
    for chunksize in (1, 7, 1000):
        assert list(executor.map(int, range(20), chunksize=chunksize)) == list(range(20))


@pytest.mark.parametrize("timeout", [0.01, 0, -1])
def test_time_runs_out_with_the_timeout_error_of_the_standard_library(
    executor: ThreadPoolExecutor, gate: Gate, timeout: float
) -> None:
    results = executor.map(gate.wait, [1], timeout=timeout)
    with pytest.raises(concurrent.futures.TimeoutError) as caught:
        next(results)
    assert type(caught.value) is concurrent.futures.TimeoutError
    assert next(results, "end") == "end"


def test_the_time_counts_from_the_call_and_spares_what_is_done(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    def task(number: int) -> int:
        if number == 3:
            gate.wait()
        return number

    results = make_executor(1).map(task, range(4), timeout=0.01)
    gate.await_arrivals()
    time.sleep(0.02)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)


def test_a_generous_limit_changes_nothing(executor: ThreadPoolExecutor) -> None:
    assert list(executor.map(int, range(100), timeout=60)) == list(range(100))
    assert list(executor.map(int, range(100), timeout=None)) == list(range(100))


def test_closing_the_iterator_cancels_what_has_not_started(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        if number == 1:
            gate.wait()
        return number

    results = pool.map(task, range(100))
    assert next(results) == 0
    gate.await_arrivals()
    results.close()  # type: ignore[attr-defined]
    assert next(results, "end") == "end"
    gate.open()
    pool.shutdown()
    assert ran == [0, 1]


def test_dropping_the_iterator_cancels_what_has_not_started(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        if number == 1:
            gate.wait()
        return number

    results = pool.map(task, range(100))
    assert next(results) == 0
    gate.await_arrivals()
    del results
    gc.collect()
    gate.open()
    pool.shutdown()
    assert ran == [0, 1]


def test_an_exception_cancels_what_has_not_started(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        if number == 2:
            gate.wait()
        return 1 // number

    results = pool.map(task, [1, 0, 2, 3, 4, 5])
    assert next(results) == 1
    gate.await_arrivals()
    with pytest.raises(ZeroDivisionError):
        next(results)
    gate.open()
    pool.shutdown()
    assert ran == [1, 0, 2]


def test_shutdown_with_cancellation_cancels_the_items_that_have_not_started(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    results = executor.map(int, range(100))
    executor.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(concurrent.futures.CancelledError):
        next(results)


def test_items_submitted_before_shutdown_run(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    results = executor.map(int, range(100))
    executor.shutdown(wait=False)
    gate.open()
    assert list(results) == list(range(100))


def test_a_result_that_was_read_is_not_kept(executor: ThreadPoolExecutor) -> None:
    results = executor.map(lambda _: Thing(), range(5))
    for _ in range(5):
        reference = weakref.ref(next(results))
        assert eventually_dead(reference)


def test_the_items_are_let_go_of_when_they_have_run(executor: ThreadPoolExecutor) -> None:
    things = [Thing() for _ in range(5)]
    references = [weakref.ref(thing) for thing in things]
    results = executor.map(id, things)
    things.clear()
    assert len([next(results) for _ in range(5)]) == 5
    assert all(eventually_dead(reference) for reference in references)


def test_the_iterator_needs_no_reference_to_its_pool(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    assert list(executor_type(workers).map(int, range(100))) == list(range(100))


def test_results_may_be_read_by_another_thread(executor: ThreadPoolExecutor) -> None:
    results = executor.map(int, range(100))
    assert in_thread(list, results).get() == list(range(100))


def test_a_task_may_map_over_another_pool(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    outer, inner = make_executor(workers), make_executor(workers)
    totals = outer.map(lambda number: sum(inner.map(int, range(number))), range(20))
    assert list(totals) == [sum(range(number)) for number in range(20)]


def test_an_overriding_submit_is_used(
    executor_type: type[ThreadPoolExecutor],
    make_executor: Callable[..., ThreadPoolExecutor],
    workers: int,
) -> None:
    class Doubling(executor_type):  # type: ignore[misc,valid-type]
        """Submits twice the number."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(lambda: 2 * fn(*args, **kwargs))

    pool = make_executor(workers, executor_type=Doubling)
    assert list(pool.map(int, [1, 2, 3])) == [2, 4, 6]
    assert pool.submit(int, 4).result(LIMIT) == 8
