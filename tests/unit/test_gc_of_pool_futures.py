"""The garbage collector finds cycles through futures of a pool, and skips what cannot be in one."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.logs import LogRecorder

SECONDS = 5
"""How long a cycle may survive collections, one of which would be enough."""


def dead(*references: weakref.ref[Any]) -> bool:
    return all(eventually_dead(reference, SECONDS) for reference in references)


def test_a_result_that_contains_its_own_future(executor: ThreadPoolExecutor) -> None:
    def make() -> list[weakref.ref[Any]]:
        contents: list[Any] = [Thing()]
        future = executor.submit(lambda: contents)
        contents.append(future)
        assert future.result(LIMIT) is contents
        return [weakref.ref(future), weakref.ref(contents[0])]

    assert dead(*make())


def test_results_of_c_functions_do_not_heap_up(executor: ThreadPoolExecutor) -> None:
    """On free-threaded builds they wait for the thread that made them to let them go."""
    references = [weakref.ref(executor.submit(Thing).result(LIMIT)) for _ in range(300)]
    assert sum(reference() is not None for reference in references) < 50


def test_an_atomic_result_beside_a_cycle(executor: ThreadPoolExecutor) -> None:
    """Being untracked for its result must not hide what else the future refers to."""

    def make() -> weakref.ref[Any]:
        future: Any = executor.submit(int)
        assert future.result(LIMIT) == 0
        future.me = future
        return weakref.ref(future)

    assert dead(make())


def test_an_exception_whose_traceback_refers_to_the_future(executor: ThreadPoolExecutor) -> None:
    def make(gate: Gate) -> list[weakref.ref[Any]]:
        cell: list[Any] = []

        def task() -> None:
            thing, mine = Thing(), cell
            references.append(weakref.ref(thing))
            gate.wait()
            int(f"this task fails, and its frame keeps {len(mine)}")

        references: list[weakref.ref[Any]] = []
        future = executor.submit(task)
        cell.append(future)
        gate.open()
        assert isinstance(future.exception(LIMIT), ValueError)
        return [weakref.ref(future), *references]

    assert dead(*make(Gate()))


def test_an_exception_raised_and_kept_by_the_reader(executor: ThreadPoolExecutor) -> None:
    def make() -> weakref.ref[Any]:
        future = executor.submit(int, "this task fails")
        try:
            future.result(LIMIT)
        except ValueError as error:
            kept = error  # whose traceback holds this frame, which holds the future
        assert kept is future.exception()
        return weakref.ref(future)

    assert dead(make())


def set_attribute(future: Any) -> None:
    future.me = future


def set_in_vars(future: Any) -> None:
    vars(future)["me"] = future


def set_in_dict(future: Any) -> None:
    future.__dict__["me"] = [future]


def replace_dict(future: Any) -> None:
    future.__dict__ = {**vars(future), "me": future}


def add_callback(future: Any) -> None:
    future.add_done_callback(lambda _, keep=future: None)


def append_callback(future: Any) -> None:
    future._done_callbacks.append(lambda _, keep=future: None)


class Waiter:
    """A waiter of the standard protocol that keeps what it waits for."""

    def __init__(self, future: Any) -> None:
        self.future = future

    def add_result(self, _: Any) -> None:
        pass

    add_exception = add_cancelled = add_result


def append_waiter(future: Any) -> None:
    future._waiters.append(Waiter(future))


def replace_waiters(future: Any) -> None:
    future._waiters = [Waiter(future)]


CYCLES = [
    set_attribute,
    set_in_vars,
    set_in_dict,
    replace_dict,
    add_callback,
    append_callback,
    append_waiter,
    replace_waiters,
]

each_cycle = pytest.mark.parametrize("make_cycle", CYCLES, ids=lambda make: make.__name__)


@each_cycle
@pytest.mark.parametrize("ending", ["result", "exception", "cancelled"])
def test_a_cycle_made_while_the_future_was_queued(
    executor: ThreadPoolExecutor,
    gate: Gate,
    workers: int,
    make_cycle: Callable[[Any], None],
    ending: str,
) -> None:
    def make() -> weakref.ref[Any]:
        occupy(executor, gate, workers)
        future = executor.submit(int, "not a number" if ending == "exception" else 5)
        make_cycle(future)
        if ending == "cancelled":
            assert future.cancel()
        gate.open()
        executor.submit(int).result(LIMIT)
        assert ending == "cancelled" or future.exception(LIMIT) or future.result(LIMIT) == 5
        return weakref.ref(future)

    reference = make()
    executor.shutdown()
    assert dead(reference)


@each_cycle
@pytest.mark.parametrize("result", [5, None, (1, [])], ids=["int", "None", "container"])
def test_a_cycle_made_when_the_future_was_done(
    executor: ThreadPoolExecutor, make_cycle: Callable[[Any], None], result: Any
) -> None:
    def make() -> weakref.ref[Any]:
        future = executor.submit(lambda: result)
        assert future.result(LIMIT) is result
        make_cycle(future)
        return weakref.ref(future)

    assert dead(make())


@each_cycle
def test_a_cycle_of_a_future_without_a_pool(
    future_type: type[Future[Any]], make_cycle: Callable[[Any], None], futures_log: LogRecorder
) -> None:
    def make(done: bool) -> weakref.ref[Any]:
        future = future_type()
        make_cycle(future)
        if done:
            future.set_result(1)
        return weakref.ref(future)

    assert dead(make(False), make(True))


def test_arguments_that_refer_to_their_future(executor: ThreadPoolExecutor, gate: Gate) -> None:
    def make() -> weakref.ref[Any]:
        cell: list[Any] = []
        cell.append(executor.submit(lambda mine: (gate.wait(), len(mine))[1], cell))
        gate.await_arrivals()
        gate.open()
        assert cell[0].result(LIMIT) == 1
        return weakref.ref(cell[0])

    assert dead(make())


@pytest.mark.ours
@pytest.mark.parametrize("result", [5, None, 1.5, "text", b"bytes", True], ids=repr)
def test_the_collector_need_not_look_at_futures_that_cannot_be_in_a_cycle(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, result: Any
) -> None:
    """Deliberate: looking at every queued future would cost a third of a task's time."""
    occupy(executor, gate, workers)
    future = executor.submit(lambda: result)
    assert not gc.is_tracked(future)
    gate.open()
    assert future.result(LIMIT) is result
    assert not gc.is_tracked(future)
    future.add_done_callback(id)
    assert future.done()


@pytest.mark.ours
def test_the_collector_looks_at_futures_that_can_be_in_a_cycle(
    executor: ThreadPoolExecutor,
) -> None:
    holding = executor.submit(lambda: [Thing()])
    failed = executor.submit(int, "this task fails")
    assert isinstance(failed.exception(LIMIT), ValueError)
    assert len(holding.result(LIMIT)) == 1
    extended: Any = executor.submit(int)
    assert extended.result(LIMIT) == 0
    extended.attribute = []
    assert [gc.is_tracked(future) for future in (holding, failed, extended)] == [True] * 3
