"""Writing to a queued future's private attributes leaves its call alone, as in the standard one."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

WRITES: dict[str, Callable[[Any], Any]] = {
    "_result": lambda future: setattr(future, "_result", 5),
    "_result None": lambda future: setattr(future, "_result", None),
    "_result of its own": lambda future: setattr(future, "_result", future._result),
    "_exception": lambda future: setattr(future, "_exception", ValueError("written")),
    "_exception None": lambda future: setattr(future, "_exception", None),
    "both": lambda future: (
        setattr(future, "_result", future),
        setattr(future, "_exception", None),
        setattr(future, "_result", None),
    ),
}

each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@each_write
@pytest.mark.parametrize("times", [1, 3])
def test_the_call_runs_and_its_result_arrives(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, write: Callable[[Any], Any], times: int
) -> None:
    occupy(executor, gate, workers)
    called = threading.Event()
    future: Future[Any] = executor.submit(lambda text, **more: (called.set(), text, more), "a", b=1)
    for _ in range(times):
        write(future)
    if future._exception is not None:  # type: ignore[attr-defined]
        future._exception = None  # type: ignore[attr-defined]  # or the standard one raises it
    gate.open()
    assert called.wait(LIMIT)
    assert future.result(LIMIT) == (None, "a", {"b": 1})
    assert future.exception() is None


@each_write
def test_the_call_runs_and_its_exception_arrives(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, write: Callable[[Any], Any]
) -> None:
    occupy(executor, gate, workers)
    error = KeyError("raised")
    future: Future[Any] = executor.submit(throw, error)
    write(future)
    gate.open()
    assert future.exception(LIMIT) is error


@each_write
def test_the_call_can_still_be_cancelled(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, write: Callable[[Any], Any]
) -> None:
    occupy(executor, gate, workers)
    called: list[int] = []
    future: Future[Any] = executor.submit(called.append, 1)
    write(future)
    assert future.cancel()
    gate.open()
    assert executor.submit(int, 7).result(LIMIT) == 7
    executor.shutdown()
    assert called == []


def test_a_second_initialisation_leaves_a_queued_call_alone(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    futures = [executor.submit(int, number) for number in range(10)]
    for future in futures[::2]:
        concurrent.futures.Future.__init__(future)
        future.__init__()  # type: ignore[misc]
    gate.open()
    assert [future.result(LIMIT) for future in futures] == list(range(10))
