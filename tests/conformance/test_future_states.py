"""A Future's states: what each method does in each of them, with the exact errors and log."""

from __future__ import annotations

import concurrent.futures
import types
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import without_addresses
from support.waiting import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from support.logs import LogRecorder

InvalidStateError = concurrent.futures.InvalidStateError


def pending(future: Future[Any]) -> None:
    del future


def running(future: Future[Any]) -> None:
    future.set_running_or_notify_cancel()


def cancelled(future: Future[Any]) -> None:
    future.cancel()


def notified(future: Future[Any]) -> None:
    future.cancel()
    future.set_running_or_notify_cancel()


def returned(future: Future[Any]) -> None:
    future.set_result(42)


def raised(future: Future[Any]) -> None:
    future.set_exception(OSError("no"))


STATES = {
    pending: ("PENDING", False, False, False),
    running: ("RUNNING", False, True, False),
    cancelled: ("CANCELLED", True, False, True),
    notified: ("CANCELLED_AND_NOTIFIED", True, False, True),
    returned: ("FINISHED", False, False, True),
    raised: ("FINISHED", False, False, True),
}

each_state = pytest.mark.parametrize("enter", STATES, ids=lambda enter: enter.__name__)


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


@each_state
def test_each_state_has_its_name_and_its_answers(
    future: Future[Any], enter: Callable[..., None]
) -> None:
    enter(future)
    name, is_cancelled, is_running, is_done = STATES[enter]
    assert future._state == name
    assert future.cancelled() is is_cancelled
    assert future.running() is is_running
    assert future.done() is is_done


@each_state
def test_cancel_succeeds_only_before_the_run_and_again_afterwards(
    future: Future[Any], enter: Callable[..., None]
) -> None:
    enter(future)
    state = future._state
    assert future.cancel() is (enter in (pending, cancelled, notified))
    assert future._state == ("CANCELLED" if enter is pending else state)


@pytest.mark.parametrize(
    ("enter", "answer", "state"),
    [(pending, True, "RUNNING"), (cancelled, False, "CANCELLED_AND_NOTIFIED")],
)
def test_a_worker_may_run_what_is_pending_and_not_what_is_cancelled(
    future: Future[Any], enter: Callable[..., None], answer: bool, state: str
) -> None:
    enter(future)
    assert future.set_running_or_notify_cancel() is answer
    assert future._state == state


@pytest.mark.parametrize("enter", [running, notified, returned, raised])
def test_running_twice_is_logged_as_critical_and_refused(
    future: Future[Any], enter: Callable[..., None], futures_log: LogRecorder
) -> None:
    enter(future)
    state = future._state
    with pytest.raises(RuntimeError, match=r"^Future in unexpected state$"):
        future.set_running_or_notify_cancel()
    record = futures_log.take_one()
    assert record.levelname == "CRITICAL"
    assert record.getMessage() == f"Future {id(future)} in unexpected state: {state}"
    assert record.msg == "Future %s in unexpected state: %s"
    assert future._state == state


@pytest.mark.parametrize("enter", [pending, running])
def test_a_result_may_be_set_before_and_during_the_run(
    future: Future[Any], enter: Callable[..., None]
) -> None:
    enter(future)
    assert future.set_result(None) is None
    assert future.result() is None
    assert future.exception() is None


@pytest.mark.parametrize("enter", [pending, running])
def test_an_exception_may_be_set_before_and_during_the_run(
    future: Future[Any], enter: Callable[..., None]
) -> None:
    enter(future)
    error = ValueError("wrong")
    assert future.set_exception(error) is None
    assert future.exception() is error
    with pytest.raises(ValueError, match="wrong") as caught:
        future.result()
    assert caught.value is error


def test_an_exception_of_none_is_a_result_of_none(future: Future[Any]) -> None:
    future.set_exception(None)
    assert future.done()
    assert future.exception() is None
    assert future.result() is None


@pytest.mark.parametrize("enter", [cancelled, notified, returned, raised])
@pytest.mark.parametrize("setter", ["set_result", "set_exception"])
def test_an_ended_future_refuses_another_end_and_says_why(
    future: Future[Any], enter: Callable[..., None], setter: str
) -> None:
    enter(future)
    name = future._state
    words = {returned: "finished returned int", raised: "finished raised OSError"}
    expected = f"{name}: <Future at 0x state={words.get(enter, 'cancelled')}>"
    with pytest.raises(InvalidStateError) as caught:
        getattr(future, setter)(ValueError())
    assert type(caught.value) is InvalidStateError
    assert without_addresses(str(caught.value)) == expected
    assert len(caught.value.args) == 1


@pytest.mark.parametrize("enter", [cancelled, notified])
def test_a_cancelled_future_raises_the_cancelled_error_of_the_standard_library(
    future: Future[Any], enter: Callable[..., None]
) -> None:
    enter(future)
    for read in (future.result, future.exception):
        with pytest.raises(concurrent.futures.CancelledError) as caught:
            read()
        assert type(caught.value) is concurrent.futures.CancelledError
        assert caught.value.args == ()


def test_a_cancellation_wakes_those_who_wait_for_the_result(future: Future[Any]) -> None:
    waits = [in_thread(future.result), in_thread(future.exception), in_thread(future.result, 60)]
    future.cancel()
    for wait in waits:
        with pytest.raises(concurrent.futures.CancelledError):
            wait.get()


def test_the_result_wakes_those_who_wait_for_it(future: Future[Any]) -> None:
    waits = [in_thread(future.result), in_thread(future.result, 60)]
    errors = [in_thread(future.exception), in_thread(future.exception, 60)]
    value = object()
    future.set_result(value)
    assert [wait.get() for wait in waits] == [value, value]
    assert [wait.get() for wait in errors] == [None, None]


def test_the_class_takes_a_parameter(future_type: type[Future[Any]]) -> None:
    alias = future_type[int]
    assert isinstance(alias, types.GenericAlias)
    assert alias.__origin__ is future_type
    assert alias.__args__ == (int,)
    assert type(alias()) is future_type


def test_a_future_is_a_future_of_the_standard_library(future_type: type[Future[Any]]) -> None:
    assert issubclass(future_type, concurrent.futures.Future)
    assert isinstance(future_type(), concurrent.futures.Future)
    assert future_type.__name__ == "Future"


@pytest.mark.parametrize("arguments", [(1,), (None,), (1, 2)])
def test_a_future_is_made_of_nothing(
    future_type: type[Future[Any]], arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError):
        future_type(*arguments)
    with pytest.raises(TypeError):
        future_type(result=1)


def test_a_future_is_not_one_of_asyncio(future: Future[Any]) -> None:
    assert not hasattr(future, "_asyncio_future_blocking")
    assert not hasattr(type(future), "_asyncio_future_blocking")


def test_a_future_can_be_weakly_referenced_and_hashed(future: Future[Any]) -> None:
    reference = weakref.ref(future)
    assert reference() is future
    assert hash(future) == hash(future)
    assert {future: 1}[future] == 1
    assert future == future
    assert future != type(future)()
    assert bool(future) is True
