"""How a map ends early, by an exception, by time, by closing: what is left is cancelled."""

from __future__ import annotations

import concurrent.futures
import gc
import time
from typing import TYPE_CHECKING

import pytest

from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor


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
