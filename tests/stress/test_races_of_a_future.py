"""Cancelling, running, completing and calling back at the same moment: exactly one of them wins."""

from __future__ import annotations

import concurrent.futures
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, eventually, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.logs import LogRecorder

ROUNDS = 300


def race(*functions: Callable[[], Any]) -> list[Any]:
    """Calls all at the same moment, each in a thread of its own; gives what they gave."""
    start = threading.Barrier(len(functions), timeout=LIMIT)

    def run(function: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return function()
        except concurrent.futures.InvalidStateError:
            return concurrent.futures.InvalidStateError

    threads = [in_thread(run, function) for function in functions]
    return [thread.get() for thread in threads]


def test_a_task_is_cancelled_or_runs_and_never_both(executor: ThreadPoolExecutor) -> None:
    ran: list[int] = []
    futures: list[tuple[Future[Any], bool]] = []
    for number in range(5000):
        future = executor.submit(ran.append, number)
        futures.append((future, future.cancel() if number % 2 else False))
    executor.shutdown()
    expected = [number for number, (_, cancelled) in enumerate(futures) if not cancelled]
    assert sorted(ran) == expected
    for future, cancelled in futures:
        assert future.cancelled() is cancelled
        assert future.done()


def test_of_many_who_cancel_all_hear_the_same(executor: ThreadPoolExecutor) -> None:
    for _ in range(ROUNDS):
        ran: list[int] = []
        future = executor.submit(ran.append, 1)
        answers = race(future.cancel, future.cancel, future.cancel)
        try:
            future.result(LIMIT)
        except concurrent.futures.CancelledError:
            assert ran == []
            assert True in answers
        else:
            assert ran == [1]
            assert answers == [False] * 3


def test_of_cancel_and_run_one_wins(future_type: type[Future[Any]]) -> None:
    for _ in range(ROUNDS):
        future = future_type()
        cancelled, runs = race(future.cancel, future.set_running_or_notify_cancel)
        assert cancelled is not runs


def test_of_several_results_one_is_kept(future_type: type[Future[Any]]) -> None:
    for _ in range(ROUNDS):
        future = future_type()
        answers = race(*(partial(future.set_result, number) for number in range(3)))
        assert answers.count(None) == 1
        assert answers.count(concurrent.futures.InvalidStateError) == 2
        assert answers[future.result(0)] is None


def test_of_cancel_and_result_one_wins(future_type: type[Future[Any]]) -> None:
    for _ in range(ROUNDS):
        future = future_type()
        cancelled, result = race(future.cancel, partial(future.set_result, "kept"))
        if cancelled:
            assert future.cancelled()
            assert result is concurrent.futures.InvalidStateError
        else:
            assert future.result(0) == "kept"
            assert result is None


def test_a_callback_added_at_the_moment_of_completion_runs_once(
    future_type: type[Future[Any]],
) -> None:
    for _ in range(ROUNDS):
        future = future_type()
        calls: list[Any] = []
        race(
            partial(future.set_result, 1),
            partial(future.add_done_callback, calls.append),
            partial(future.add_done_callback, calls.append),
        )
        assert calls == [future, future]


def test_a_callback_added_to_a_task_runs_once(executor: ThreadPoolExecutor) -> None:
    calls: list[Any] = []
    futures = []
    for _ in range(5000):
        future = executor.submit(int)
        future.add_done_callback(calls.append)
        futures.append(future)
    executor.shutdown()
    assert eventually(lambda: len(calls) == 5000)
    assert set(calls) == set(futures)


def test_a_callback_that_races_with_a_cancellation_runs_once(
    executor: ThreadPoolExecutor,
) -> None:
    for _ in range(ROUNDS):
        calls: list[Any] = []
        future = executor.submit(int)
        race(
            future.cancel,
            partial(future.add_done_callback, calls.append),
        )
        assert eventually(partial(len, calls))
        assert calls == [future]


def test_failing_callbacks_from_everywhere_are_all_logged(
    executor: ThreadPoolExecutor, futures_log: LogRecorder
) -> None:
    def fail(future: Future[Any]) -> None:
        message = "from a callback"
        raise ValueError(message)

    for _ in range(500):
        executor.submit(int).add_done_callback(fail)
    executor.shutdown()
    assert eventually(lambda: len(futures_log.kept) == 500)
    texts = futures_log.take_texts()
    assert all(text.startswith("exception calling callback for <Future at 0x") for text in texts)


def test_a_wait_that_begins_at_the_moment_of_completion_ends(
    future_type: type[Future[Any]],
) -> None:
    for number in range(ROUNDS):
        future = future_type()
        answers = race(
            partial(future.result, LIMIT),
            partial(future.exception, LIMIT),
            partial(concurrent.futures.wait, [future], LIMIT),
            partial(future.set_result, number),
        )
        assert answers == [number, None, ({future}, set()), None]


def test_a_limit_that_ends_at_the_moment_of_completion_does_no_harm(
    executor: ThreadPoolExecutor,
) -> None:
    timeouts = 0
    for number in range(2000):
        future = executor.submit(int, number)
        try:
            assert future.result(0.00001) == number
        except concurrent.futures.TimeoutError:
            timeouts += 1
        assert future.result(LIMIT) == number
    assert 0 <= timeouts <= 2000


@pytest.mark.parametrize("taker", ["_condition", "_waiters"])
def test_a_live_attribute_first_touched_at_completion_is_one_object(
    executor: ThreadPoolExecutor, taker: str
) -> None:
    for _ in range(ROUNDS):
        future = executor.submit(int)
        first, second, _ = race(
            partial(getattr, future, taker),
            partial(getattr, future, taker),
            partial(future.result, LIMIT),
        )
        assert first is second
