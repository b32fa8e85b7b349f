"""The six live attributes of a Future: the lock that guards it, and what it guards.

The standard library's `wait`, other libraries and tests reach into a future through them, so a
native future must obey whoever holds its condition and see what is written under it.
"""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import Gate, eventually, in_thread, is_free

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


def test_a_new_future_shows_its_empty_parts(future: Future[Any]) -> None:
    assert future._state == "PENDING"
    assert future._result is None
    assert future._exception is None
    assert future._waiters == []
    assert future._done_callbacks == []
    assert future._condition is future._condition


def test_what_is_written_to_the_attributes_is_what_the_methods_read(future: Future[Any]) -> None:
    error = OSError("written")
    future._state = "FINISHED"
    future._result = 7
    assert future.done()
    assert future.result() == 7
    future._exception = error
    assert future.exception() is error
    future._state = "RUNNING"
    assert future.running()
    future._state = "CANCELLED"
    assert future.cancelled()


def test_what_the_methods_write_is_what_the_attributes_show(future: Future[Any]) -> None:
    def callback(done: Future[Any]) -> None:
        del done

    future.add_done_callback(callback)
    assert future._done_callbacks == [callback]
    value = object()
    future.set_result(value)
    assert future._result is value
    assert future._exception is None
    assert future._state == "FINISHED"


def test_lists_given_to_the_future_are_used(future: Future[Any]) -> None:
    calls: list[Future[Any]] = []
    future._done_callbacks = [calls.append]
    future._waiters = []
    future.set_result(None)
    assert calls == [future]


def test_explicit_initialisation_leaves_a_pending_future(future: Future[Any]) -> None:
    concurrent.futures.Future.__init__(future)
    assert future._state == "PENDING"
    future.set_result(5)
    assert future.result() == 5


def test_the_condition_is_reentrant(future: Future[Any]) -> None:
    with future._condition, future._condition:
        assert not future.done()
        future._condition.acquire()
        assert future.cancel()
        assert future.cancelled()
        future._condition.release()
    assert future.cancelled()


def test_every_method_may_be_called_by_the_holder_of_the_condition(future: Future[Any]) -> None:
    seen: list[Future[Any]] = []
    with future._condition:
        assert future.set_running_or_notify_cancel()
        assert future.running()
        future.add_done_callback(seen.append)
        future.set_result(1)
        assert future.result() == 1
        assert future.exception() is None
        assert repr(future).endswith("state=finished returned int>")
    assert seen == [future]


def test_releasing_what_is_not_held_is_an_error(future: Future[Any]) -> None:
    with pytest.raises(RuntimeError):
        future._condition.release()
    with pytest.raises(RuntimeError):
        future._condition.notify_all()
    with pytest.raises(RuntimeError):
        future._condition.notify()
    with pytest.raises(RuntimeError):
        future._condition.wait(0)


def test_another_thread_cannot_take_a_held_condition(future: Future[Any]) -> None:
    with future._condition:
        assert in_thread(future._condition.acquire, False).get() is False
        assert in_thread(lambda: future._condition.acquire(blocking=False)).get() is False
        assert in_thread(lambda: future._condition.acquire(timeout=0.001)).get() is False
        assert in_thread(lambda: future._condition.acquire(True, 0.001)).get() is False

    def take() -> bool:
        taken = future._condition.acquire()
        future._condition.release()
        return taken

    assert in_thread(take).get() is True


def test_a_wait_on_the_condition_ends_by_notification(future: Future[Any]) -> None:
    waiting = threading.Event()

    def wait() -> bool:
        with future._condition:
            waiting.set()
            return future._condition.wait(60)

    thread = in_thread(wait)
    assert waiting.wait(30)
    with future._condition:  # taken only once the thread waits
        future._condition.notify()
    assert thread.get() is True


def test_a_wait_on_the_condition_ends_by_time(future: Future[Any]) -> None:
    with future._condition:
        assert future._condition.wait(0.001) is False
        assert future._condition.wait_for(future.done, 0.001) is False


def test_a_wait_gives_a_nested_hold_back_whole(future: Future[Any]) -> None:
    def finish() -> None:
        with future._condition:
            future._state = "FINISHED"
            future._condition.notify_all()

    with future._condition, future._condition:
        thread = in_thread(finish)
        assert future._condition.wait_for(future.done, 60) is True
        assert not is_free(future._condition)
    thread.get()


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("method", ["result", "exception"])
def test_an_exception_written_under_the_condition_wakes_the_waiters(
    future: Future[Any], method: str, timeout: float | None
) -> None:
    error = OSError("from outside")
    waits = [in_thread(getattr(future, method), timeout) for _ in range(3)]
    with future._condition:
        future._state = "FINISHED"
        future._exception = error
        future._condition.notify_all()
    for wait in waits:
        if method == "exception":
            assert wait.get() is error
        else:
            with pytest.raises(OSError, match="from outside"):
                wait.get()


@pytest.mark.parametrize("method", ["result", "exception"])
def test_a_reader_waits_until_what_is_written_under_the_condition_is_whole(
    future: Future[Any], method: str
) -> None:
    error = OSError("from outside")
    with future._condition:
        future._state = "FINISHED"
        reader = in_thread(getattr(future, method))
        reader.thread.join(0.05)  # long enough for one that does not wait
        future._exception = error
    if method == "exception":
        assert reader.get() is error
    else:
        with pytest.raises(OSError, match="from outside"):
            reader.get()


def test_a_result_written_under_the_condition_wakes_the_waiters(future: Future[Any]) -> None:
    waits = [in_thread(future.result) for _ in range(3)]
    with future._condition:
        future._state = "FINISHED"
        future._result = "written"
        future._condition.notify_all()
    assert [wait.get() for wait in waits] == ["written"] * 3


def test_a_holder_of_the_condition_delays_the_completion(future: Future[Any]) -> None:
    future._condition.acquire()
    thread = in_thread(future.set_result, 3)
    assert not eventually(future.done, limit=0.05)
    future._condition.release()
    thread.get()
    assert future.result() == 3


def test_a_holder_of_the_condition_delays_a_worker(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    future = executor.submit(gate.wait, "done")
    gate.await_arrivals()
    with future._condition:
        gate.open()
        assert not eventually(future.done, limit=0.05)
        assert future._state == "RUNNING"
    assert future.result(30) == "done"


def test_a_condition_held_for_one_future_does_not_delay_another(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(2)
    held, free = pool.submit(gate.wait), pool.submit(gate.wait, "free")
    gate.await_arrivals(2)
    with held._condition:
        gate.open()
        assert free.result(30) == "free"


class Waiter:
    """A home-made waiter, as `concurrent.futures.wait` installs them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Future[Any], bool]] = []

    def note(self, what: str, future: Future[Any]) -> None:
        self.calls.append((what, future, not is_free(future._condition)))

    def add_result(self, future: Future[Any]) -> None:
        self.note("result", future)

    def add_exception(self, future: Future[Any]) -> None:
        self.note("exception", future)

    def add_cancelled(self, future: Future[Any]) -> None:
        self.note("cancelled", future)


def test_a_waiter_is_told_of_the_end_while_the_condition_is_held(
    future_type: type[Future[Any]],
) -> None:
    waiter = Waiter()
    returned, raised, cancelled = future_type(), future_type(), future_type()
    for future in (returned, raised, cancelled):
        with future._condition:
            future._waiters.append(waiter)
    returned.set_result(1)
    raised.set_exception(OSError())
    cancelled.cancel()
    assert cancelled not in [future for _, future, _ in waiter.calls]
    cancelled.set_running_or_notify_cancel()
    assert waiter.calls == [
        ("result", returned, True),
        ("exception", raised, True),
        ("cancelled", cancelled, True),
    ]


def test_waiters_are_told_in_order_and_a_removed_one_is_not(future: Future[Any]) -> None:
    first, removed, last = Waiter(), Waiter(), Waiter()
    order: list[Waiter] = []
    for waiter in (first, removed, last):
        waiter.add_result = lambda _, waiter=waiter: order.append(waiter)  # type: ignore[method-assign]
        future._waiters.append(waiter)
    future._waiters.remove(removed)
    future.set_result(None)
    assert order == [first, last]


def test_a_worker_tells_the_waiters(executor: ThreadPoolExecutor, gate: Gate) -> None:
    waiter = Waiter()
    future = executor.submit(gate.wait)
    gate.await_arrivals()
    with future._condition:
        future._waiters.append(waiter)
    gate.open()
    future.result(30)
    assert eventually(lambda: waiter.calls)
    assert waiter.calls == [("result", future, True)]
