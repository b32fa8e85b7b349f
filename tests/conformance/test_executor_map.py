"""`Executor.map`: eager, ordered, limited in time, and cancelling what is left."""

from __future__ import annotations

import concurrent.futures
import itertools
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread

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


def test_an_iterable_may_wait_for_the_tasks_of_its_earlier_items(
    executor: ThreadPoolExecutor,
) -> None:
    found: queue.SimpleQueue[int] = queue.SimpleQueue()

    def items() -> Iterator[int]:
        yield 1
        for _ in range(10):
            yield found.get(timeout=LIMIT)

    def task(number: int) -> int:
        found.put(number + 1)
        return number

    assert list(executor.map(task, items())) == list(range(1, 12))


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


def test_a_result_that_was_read_is_not_kept(executor: ThreadPoolExecutor) -> None:
    results = executor.map(lambda _: Thing(), range(5))
    for _ in range(5):
        reference = weakref.ref(next(results))
        assert eventually_dead(reference)


@pytest.mark.ours  # the standard library keeps the last one from 3.14 on
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
