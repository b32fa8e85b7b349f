"""Exceptions in a Future: kept as they are, raised as they are, and keeping nothing alive."""

from __future__ import annotations

import gc
import traceback
import weakref
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from support.references import Thing, dies_uncollected, eventually_dead, no_collection
from support.waiting import LIMIT, throw

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class FalsyError(Exception):
    """An exception that is false."""

    def __bool__(self) -> bool:
        return False


class EmptyError(Exception):
    """An exception of length 0."""

    def __len__(self) -> int:
        return 0


class UndecidedError(Exception):
    """An exception whose truth cannot be asked for."""

    def __bool__(self) -> bool:
        raise self


@pytest.mark.standard_since(3, 14)  # and 3.13.4: older ones swallow such an exception
@pytest.mark.parametrize("error_type", [FalsyError, EmptyError, UndecidedError])
def test_an_exception_is_raised_whatever_its_truth(
    executor: ThreadPoolExecutor, error_type: type[Exception]
) -> None:
    error = error_type("false, and yet it raises")
    future = executor.submit(throw, error)
    with pytest.raises(error_type) as caught:
        future.result(LIMIT)
    assert caught.value is error
    assert future.exception() is error


@pytest.mark.parametrize("error_type", [FalsyError, EmptyError])
def test_a_false_exception_set_by_hand_is_kept(
    future_type: type[Future[Any]], error_type: type[Exception]
) -> None:
    future = future_type()
    error = error_type()
    future.set_exception(error)
    assert future.exception() is error


def test_every_reader_gets_the_same_exception(executor: ThreadPoolExecutor) -> None:
    error = ValueError("the only one")
    future = executor.submit(throw, error)
    for _ in range(3):
        assert future.exception(LIMIT) is error
        with pytest.raises(ValueError, match="the only one") as caught:
            future.result(LIMIT)
        assert caught.value is error


def test_the_traceback_shows_the_task_and_the_reader(executor: ThreadPoolExecutor) -> None:
    def inner() -> None:
        throw(ValueError("deep"))

    def task() -> None:
        inner()

    future = executor.submit(task)
    with pytest.raises(ValueError, match="deep") as caught:
        future.result(LIMIT)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0] == "test_the_traceback_shows_the_task_and_the_reader"
    assert names[-3:] == ["task", "inner", "throw"]


def test_an_exception_raised_again_while_another_is_handled_has_it_as_context(
    future_type: type[Future[Any]],
) -> None:
    future = future_type()
    future.set_exception(ValueError("the result"))
    handled = KeyError("handled")
    try:
        throw(handled)
    except KeyError:
        with pytest.raises(ValueError, match="the result") as caught:
            future.result()
    assert caught.value.__context__ is handled


def test_cause_notes_and_attributes_stay(executor: ThreadPoolExecutor) -> None:
    error = ValueError("with much")
    error.__cause__ = KeyError("the cause")
    error.note = "kept"  # type: ignore[attr-defined]
    kept = executor.submit(throw, error).exception(LIMIT)
    assert kept is error
    assert isinstance(kept.__cause__, KeyError)
    assert kept.note == "kept"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error_type", [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException, StopIteration]
)
def test_whatever_a_task_raises_ends_in_its_future_and_the_worker_lives(
    executor: ThreadPoolExecutor, error_type: type[BaseException], workers: int
) -> None:
    error = error_type("from a task")
    futures = [executor.submit(throw, error) for _ in range(4 * workers)]
    for future in futures:
        assert future.exception(LIMIT) is error
        with pytest.raises(error_type):
            future.result()
    assert executor.submit(int, 5).result(LIMIT) == 5
    assert all(thread.is_alive() for thread in executor._threads)


def test_an_exception_class_set_as_an_exception_is_raised(
    future_type: type[Future[Any]],
) -> None:
    future = future_type()
    future.set_exception(OSError)  # type: ignore[arg-type]
    assert future.exception() is OSError
    with pytest.raises(OSError):  # noqa: PT011
        future.result()


def test_what_cannot_be_raised_is_a_type_error(future_type: type[Future[Any]]) -> None:
    future = future_type()
    future.set_exception("not an exception")  # type: ignore[arg-type]
    assert future.exception() == "not an exception"
    with pytest.raises(TypeError, match="exceptions must derive from BaseException"):
        future.result()


def test_a_failed_task_keeps_its_objects_no_longer_than_its_future(
    executor: ThreadPoolExecutor,
) -> None:
    references: list[weakref.ref[Any]] = []

    def task() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        int("its frame holds a thing")  # raised by no frame that keeps the exception

    with no_collection():
        future = executor.submit(task)
        assert isinstance(future.exception(LIMIT), ValueError)
        assert references[0]() is not None
        del future
        assert dies_uncollected(references[0]), "the exception is in a cycle"


def test_reading_a_failed_result_makes_no_cycle(executor: ThreadPoolExecutor) -> None:
    references: list[weakref.ref[Any]] = []

    def task() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        int("its frame holds a thing")  # raised by no frame that keeps the exception

    def read() -> None:
        future = executor.submit(task)
        references.append(weakref.ref(future))
        try:
            future.result(LIMIT)
        except ValueError:
            del future

    with no_collection():
        read()
        for reference in references:
            assert dies_uncollected(reference), "the exception is in a cycle"


def test_an_exception_lives_no_longer_than_its_readers(future_type: type[Future[Any]]) -> None:
    error = FalsyError()
    reference = weakref.ref(error)
    future = future_type()
    future.set_exception(error)
    del error
    with no_collection():
        assert reference() is not None
        del future
        assert dies_uncollected(reference)


def test_the_collector_finds_cycles_of_futures_results_and_exceptions(
    future_type: type[Future[Any]],
) -> None:
    class Failure(Exception):
        """An exception that knows its future."""

    first, second, third = future_type(), future_type(), future_type()
    first.set_result([second])
    second.set_result({"back": first})
    error = Failure()
    error.future = third  # type: ignore[attr-defined]
    third.set_exception(error)
    references = [weakref.ref(one) for one in (first, second, third, error)]
    del first, second, third, error
    gc.collect()
    assert all(eventually_dead(reference) for reference in references)


def test_the_collector_finds_cycles_through_callbacks_waiters_and_attributes(
    future_type: type[Future[Any]],
) -> None:
    class Listener:
        """Holds the future that holds it."""

        def __init__(self, future: Future[Any]) -> None:
            self.future = future

        def heard(self, future: Future[Any]) -> None:
            del future

    called, waited, named, conditioned = (future_type() for _ in range(4))
    called.add_done_callback(Listener(called).heard)
    waited._waiters.append(Listener(waited))
    named.self = named  # type: ignore[attr-defined]
    conditioned.condition = conditioned._condition  # type: ignore[attr-defined]
    references = [weakref.ref(one) for one in (called, waited, named, conditioned)]
    del called, waited, named, conditioned
    assert all(eventually_dead(reference) for reference in references)


def test_the_collector_finds_cycles_of_ended_tasks(executor: ThreadPoolExecutor) -> None:
    holder: list[Any] = []
    future = executor.submit(itemgetter(0), [holder])
    holder.append(future)
    holder.append(Thing())
    assert future.result(LIMIT) is holder
    reference, thing = weakref.ref(future), weakref.ref(holder[1])
    del future, holder
    assert eventually_dead(reference)
    assert eventually_dead(thing)


def test_a_long_chain_of_futures_is_freed_without_deep_recursion(
    future_type: type[Future[Any]],
) -> None:
    chain = future_type()
    for _ in range(100_000):
        link = future_type()
        link.set_result(chain)
        chain = link
    del link
    reference = weakref.ref(chain)
    del chain
    assert eventually_dead(reference)
