"""Objects that resist: finalizers, comparisons and conversions that raise, and re-entrance."""

from __future__ import annotations

import concurrent.futures
import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import treadle
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


class Hostile:
    """Refuses everything but to exist."""

    def refuse(self, *_: Any) -> NoReturn:
        message = "hostile"
        raise ArithmeticError(message)

    __eq__ = __ne__ = __lt__ = __bool__ = __len__ = __iter__ = refuse  # type: ignore[assignment]
    __hash__ = __repr__ = __str__ = __call__ = __index__ = refuse  # type: ignore[assignment]
    __getitem__ = __contains__ = __enter__ = __exit__ = refuse


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What no one could be told: the errors of finalizers."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: seen.append(info.exc_type))
    return seen


class Bomb:
    """Raises when it dies."""

    def __del__(self) -> None:
        message = "died"
        raise ArithmeticError(message)


def test_a_hostile_result_is_given(executor: ThreadPoolExecutor) -> None:
    hostile = Hostile()
    futures = [executor.submit(lambda: hostile) for _ in range(50)]
    for future in futures:
        assert future.result(LIMIT) is hostile
        assert future.exception() is None
    assert {id(result) for result in executor.map(lambda _: hostile, range(10))} == {id(hostile)}
    assert treadle.wait(futures, LIMIT).not_done == set()
    assert len(list(treadle.as_completed(futures))) == 50
    assert len(list(concurrent.futures.as_completed(futures))) == 50
    assert "returned Hostile" in repr(futures[0])


def test_hostile_arguments_reach_the_task(executor: ThreadPoolExecutor) -> None:
    hostile = Hostile()
    assert executor.submit(id, hostile).result(LIMIT) == id(hostile)
    keywords = executor.submit(dict, key=hostile).result(LIMIT)
    assert keywords["key"] is hostile
    assert list(executor.map(id, [hostile] * 5)) == [id(hostile)] * 5


def test_a_hostile_callable_fails_in_the_future(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(ArithmeticError, match="hostile"):
        executor.submit(Hostile()).result(LIMIT)


def test_a_hostile_exception_is_raised(executor: ThreadPoolExecutor) -> None:
    class Failure(Exception):
        """An exception that cannot be shown or compared."""

        __eq__ = __str__ = __repr__ = Hostile.refuse  # type: ignore[assignment]
        __hash__ = None  # type: ignore[assignment]

    error = Failure()

    def fail() -> NoReturn:
        raise error

    future = executor.submit(fail)
    assert future.exception(LIMIT) is error
    with pytest.raises(Failure):
        future.result(LIMIT)


def test_arguments_that_raise_in_their_finalizers_harm_nobody(
    executor: ThreadPoolExecutor, unraisable: list[Any]
) -> None:
    for _ in range(50):
        executor.submit(id, Bomb()).result(LIMIT)
        executor.submit(lambda **_: None, key=Bomb()).result(LIMIT)
    executor.submit(int).result(LIMIT)
    gc.collect()
    assert eventually(lambda: (gc.collect(), len(unraisable) == 100)[1])
    assert set(unraisable) == {ArithmeticError}
    assert executor.submit(int, 5).result(LIMIT) == 5


def test_results_that_raise_in_their_finalizers_harm_nobody(
    executor: ThreadPoolExecutor, unraisable: list[Any]
) -> None:
    for _ in range(50):
        executor.submit(Bomb).result(LIMIT)
        executor.submit(Bomb)
        for _bomb in executor.map(lambda _: Bomb(), range(2)):
            pass
        del _bomb
    executor.shutdown()
    assert eventually(lambda: (gc.collect(), len(unraisable) == 200)[1])


def test_callables_that_raise_in_their_finalizers_harm_nobody(
    executor: ThreadPoolExecutor, unraisable: list[Any]
) -> None:
    class Task(Bomb):
        """A task that raises when it dies."""

        def __call__(self) -> int:
            return 7

    assert [executor.submit(Task()).result(LIMIT) for _ in range(50)] == [7] * 50
    executor.shutdown()
    assert eventually(lambda: (gc.collect(), len(unraisable) == 50)[1])


@pytest.mark.ours  # the standard library's submit deadlocks with itself
@pytest.mark.parametrize("kind", ["argument", "result", "callback"])
def test_a_finalizer_may_use_the_pool(executor: ThreadPoolExecutor, kind: str) -> None:
    ran: list[int] = []

    class Last:
        """Submits once more when it dies."""

        def __del__(self) -> None:
            executor.submit(ran.append, 1)

        def __call__(self, _: Any) -> None:
            pass

    def submit(last: Last) -> None:
        if kind == "argument":
            executor.submit(id, last)
        elif kind == "result":
            executor.submit([last].pop)
        else:
            executor.submit(int).add_done_callback(last)

    for _ in range(50):
        submit(Last())
    assert eventually(lambda: (gc.collect(), executor.submit(int).result(LIMIT), len(ran) == 50)[2])


@pytest.mark.ours  # the standard library's shutdown deadlocks with itself
def test_a_finalizer_may_shut_the_pool_down(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    class Last:
        """Shuts the pool down when it dies."""

        def __del__(self) -> None:
            executor.shutdown(wait=False)

    occupy(executor, gate, workers)
    future = executor.submit(id, Last())
    gate.open()
    assert isinstance(future.result(LIMIT), int)
    assert eventually(lambda: (gc.collect(), executor._shutdown)[1])
    executor.shutdown()


def test_a_finalizer_may_cancel_and_read_other_futures(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    answers: list[Any] = []

    class Last:
        """Looks at a future when it dies."""

        def __init__(self, future: Future[Any]) -> None:
            self.future = future

        def __del__(self) -> None:
            answers.append((self.future.cancel(), self.future.done()))

    occupy(executor, gate, workers)
    other = executor.submit(int)
    victim = executor.submit(id, Last(other))
    assert victim.cancel()
    reference = weakref.ref(victim)
    del victim
    gate.open()
    assert eventually_dead(reference)
    assert eventually(lambda: answers)
    assert answers[0][1] is True


def test_a_repr_that_uses_the_future_does_not_deadlock(future_type: type[Future[Any]]) -> None:
    class Curious(type):
        """A metaclass whose name looks at the future."""

        @property
        def __name__(cls) -> str:
            assert future.done()
            return "Curious"

    class Result(metaclass=Curious):
        """A result with a curious class."""

    future = future_type()
    future.set_result(Result())
    assert "returned" in repr(future)


def test_a_comparison_of_results_is_never_asked_for(executor: ThreadPoolExecutor) -> None:
    futures: list[Future[Any]] = [executor.submit(Hostile) for _ in range(20)]
    assert treadle.wait(futures, LIMIT, "FIRST_EXCEPTION").not_done == set()
    for future in futures:
        future.add_done_callback(lambda done: done.result())


def test_the_collector_may_run_in_the_middle_of_everything(executor: ThreadPoolExecutor) -> None:
    stop = threading.Event()

    def collect() -> None:
        while not stop.wait(0.001):  # without pauses a free-threaded Python starves the others
            gc.collect()

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for number in range(20):
            futures = [executor.submit(lambda n=number: [n]) for _ in range(50)]
            assert [future.result(LIMIT) for future in futures] == [[number]] * 50
            assert list(executor.map(int, range(50))) == list(range(50))
    finally:
        stop.set()
        collector.join()


def test_a_small_switch_interval_changes_nothing(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        pool = make_executor(workers)
        futures = [pool.submit(sum, range(number)) for number in range(1000)]
        assert [future.result(LIMIT) for future in futures] == [sum(range(n)) for n in range(1000)]
        assert list(pool.map(int, range(1000))) == list(range(1000))
        pool.shutdown()
    finally:
        sys.setswitchinterval(interval)
