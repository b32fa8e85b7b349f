"""Callbacks of a Future: when, where and in which order they run, and what their errors do."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from support.logs import LogRecorder, error_of
from support.waiting import LIMIT, Gate, eventually, in_thread, is_free, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


ENDS: list[Callable[[Future[Any]], Any]] = [
    lambda future: future.set_result(1),
    lambda future: future.set_exception(OSError()),
    lambda future: future.cancel(),
]
each_end = pytest.mark.parametrize("end", ENDS, ids=["result", "exception", "cancelled"])


@each_end
def test_callbacks_run_once_each_in_the_order_added_with_the_future(
    future: Future[Any], end: Callable[..., Any]
) -> None:
    calls: list[tuple[int, Future[Any]]] = []
    for number in range(5):
        future.add_done_callback(lambda done, number=number: calls.append((number, done)))
    assert calls == []
    end(future)
    assert calls == [(number, future) for number in range(5)]


@each_end
def test_a_callback_added_to_an_ended_future_runs_at_once_in_the_same_thread(
    future: Future[Any], end: Callable[..., Any]
) -> None:
    end(future)
    calls: list[tuple[Future[Any], threading.Thread]] = []
    answer = future.add_done_callback(lambda done: calls.append((done, threading.current_thread())))
    assert answer is None
    assert calls == [(future, threading.current_thread())]


def test_the_same_callback_may_be_added_twice(future: Future[Any]) -> None:
    calls: list[Future[Any]] = []
    future.add_done_callback(calls.append)
    future.add_done_callback(calls.append)
    future.set_result(None)
    assert calls == [future, future]


def test_callbacks_run_in_the_completing_thread(future: Future[Any]) -> None:
    threads: list[threading.Thread] = []
    future.add_done_callback(lambda _: threads.append(threading.current_thread()))
    completing = in_thread(future.set_result, 1)
    completing.get()
    assert threads == [completing.thread]


def test_callbacks_of_a_task_run_in_its_worker(executor: ThreadPoolExecutor, gate: Gate) -> None:
    seen: list[threading.Thread] = []
    future = executor.submit(lambda: gate.wait(threading.current_thread()))
    gate.await_arrivals()
    called = threading.Event()
    future.add_done_callback(lambda _: (seen.append(threading.current_thread()), called.set()))
    gate.open()
    worker = future.result(LIMIT)
    assert called.wait(LIMIT)
    assert seen == [worker]


def test_a_callback_sees_a_future_that_is_done_and_whose_condition_is_free(
    future: Future[Any],
) -> None:
    def look(done: Future[Any]) -> None:
        seen.append((done.done(), done.result(), is_free(done._condition)))

    seen: list[tuple[bool, Any, bool]] = []
    future.add_done_callback(look)
    future.set_result("value")
    assert seen == [(True, "value", True)]


def test_a_callback_may_add_another(future: Future[Any]) -> None:
    order: list[str] = []

    def outer(done: Future[Any]) -> None:
        order.append("outer")
        done.add_done_callback(lambda _: order.append("inner"))
        order.append("end of outer")

    future.add_done_callback(outer)
    future.add_done_callback(lambda _: order.append("second"))
    future.set_result(None)
    assert order == ["outer", "inner", "end of outer", "second"]


@each_end
def test_an_exception_in_a_callback_is_logged_and_the_others_run(
    future: Future[Any], end: Callable[..., Any], futures_log: LogRecorder
) -> None:
    calls: list[Future[Any]] = []
    error = ValueError("in the callback")
    future.add_done_callback(lambda _: throw(error))
    future.add_done_callback(calls.append)
    end(future)
    assert calls == [future]
    record = futures_log.take_one()
    assert record.levelname == "ERROR"
    assert record.msg == "exception calling callback for %r"
    assert record.args == (future,)
    assert record.getMessage() == f"exception calling callback for {future!r}"
    assert error_of(record) is error


def test_an_exception_in_a_callback_of_an_ended_future_is_logged(
    future: Future[Any], futures_log: LogRecorder
) -> None:
    future.set_result(None)
    error = ValueError("at once")
    future.add_done_callback(lambda _: throw(error))
    assert error_of(futures_log.take_one()) is error


def test_a_callback_that_takes_no_future_is_logged(
    future: Future[Any], futures_log: LogRecorder
) -> None:
    future.add_done_callback(lambda: None)  # type: ignore[arg-type,misc]
    future.add_done_callback(7)  # type: ignore[arg-type]
    future.set_result(None)
    records = futures_log.take()
    assert [type(error_of(record)) for record in records] == [TypeError, TypeError]


def test_a_base_exception_from_a_callback_of_an_ended_future_reaches_the_caller(
    future: Future[Any],
) -> None:
    future.set_result(None)
    with pytest.raises(KeyboardInterrupt):
        future.add_done_callback(lambda _: throw(KeyboardInterrupt()))


def test_an_exception_in_a_callback_leaves_the_worker_alive(
    executor: ThreadPoolExecutor, gate: Gate, futures_log: LogRecorder
) -> None:
    error = ValueError("in a worker")
    future = executor.submit(gate.wait)
    gate.await_arrivals()
    future.add_done_callback(lambda _: throw(error))
    gate.open()
    future.result(LIMIT)
    assert eventually(lambda: futures_log.kept)
    assert error_of(futures_log.take_one()) is error
    assert executor.submit(pow, 2, 5).result(LIMIT) == 32


@pytest.mark.ours  # in the standard library the worker dies and its queue hangs
@pytest.mark.parametrize("error_type", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_base_exception_from_a_callback_is_logged_and_the_worker_lives(
    executor: ThreadPoolExecutor,
    gate: Gate,
    futures_log: LogRecorder,
    workers: int,
    error_type: type[BaseException],
) -> None:
    futures = [
        executor.submit(lambda: gate.wait(threading.current_thread())) for _ in range(workers)
    ]
    gate.await_arrivals(workers)
    error = error_type("from a callback")
    others: list[Future[Any]] = []
    for future in futures:
        future.add_done_callback(lambda _: throw(error))
        future.add_done_callback(others.append)
    gate.open()
    threads = {future.result(LIMIT) for future in futures}
    assert eventually(lambda: len(others) == workers)
    records = futures_log.take()
    assert [record.msg for record in records] == ["exception calling callback for %r"] * workers
    assert {error_of(record) for record in records} == {error}
    assert {executor.submit(threading.current_thread).result(LIMIT) for _ in range(20)} <= threads
    assert all(thread.is_alive() for thread in threads)


def test_a_callback_may_submit_to_the_pool(executor: ThreadPoolExecutor) -> None:
    ends: list[Any] = []
    ended = threading.Event()

    def again(left: int, done: Future[Any]) -> None:
        ends.append(done.result())
        if left == 0:
            ended.set()
        else:
            executor.submit(int, left).add_done_callback(partial(again, left - 1))

    executor.submit(int, 100).add_done_callback(partial(again, 99))
    assert ended.wait(LIMIT)
    assert ends == list(range(100, 0, -1))


def test_a_callback_may_shut_the_pool_down(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    future = executor.submit(gate.wait)
    gate.await_arrivals()
    down = threading.Event()
    future.add_done_callback(lambda _: (executor.shutdown(wait=False), down.set()))
    gate.open()
    assert down.wait(LIMIT)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(int)
    assert len(executor._threads) <= workers


def test_a_callback_may_raise_what_the_task_raised(
    executor: ThreadPoolExecutor, gate: Gate, futures_log: LogRecorder
) -> None:
    error = ValueError("twice")

    def fail() -> None:
        gate.wait()
        raise error

    future = executor.submit(fail)
    gate.await_arrivals()
    future.add_done_callback(lambda done: done.result())
    gate.open()
    assert future.exception(LIMIT) is error
    assert eventually(lambda: futures_log.kept)
    assert error_of(futures_log.take_one()) is error


def test_adding_no_callback_or_two_is_an_error(future: Future[Any]) -> None:
    with pytest.raises(TypeError):
        future.add_done_callback()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        future.add_done_callback(print, print)  # type: ignore[call-arg]
    future.add_done_callback(fn=lambda _: None)
    future.set_result(None)
