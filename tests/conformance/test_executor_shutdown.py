"""`shutdown`: what still runs, what is cancelled, who waits, and what is refused afterwards."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor


def test_queued_work_runs_before_shutdown_returns(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    futures = [executor.submit(int, number) for number in range(50)]
    down = in_thread(executor.shutdown)
    assert eventually(lambda: executor._shutdown)
    assert down.thread.is_alive()
    gate.open()
    assert down.get() is None
    assert [future.result(0) for future in futures] == list(range(50))
    assert not any(thread.is_alive() for thread in executor._threads)


def test_without_waiting_shutdown_returns_at_once_and_queued_work_runs(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupied = occupy(executor, gate, workers)
    futures = [executor.submit(int, number) for number in range(50)]
    threads = list(executor._threads)
    assert executor.shutdown(wait=False) is None
    assert not any(future.done() for future in occupied + futures)
    gate.open()
    assert [future.result(LIMIT) for future in futures] == list(range(50))
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_shutdown_waits_for_a_worker_that_is_being_started(
    executor: ThreadPoolExecutor, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_late(self: threading.Thread) -> None:
        if self.name.startswith(executor._thread_name_prefix):
            gate.wait()
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_late)
    submitting = in_thread(executor.submit, int, 3)
    gate.await_arrivals()
    down = in_thread(executor.shutdown)
    down.thread.join(0.05)
    gate.open()
    assert down.get() is None
    assert submitting.get().result(LIMIT) == 3
    assert not any(thread.is_alive() for thread in executor._threads)


def test_the_first_argument_may_be_positional_and_the_other_may_not(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    occupy(executor, gate, 1)
    executor.shutdown(False)
    assert outcome(executor.shutdown, True, True)[1] is TypeError
    assert outcome(executor.shutdown, now=True)[1] is TypeError
    gate.open()
    executor.shutdown(True)
    assert not any(thread.is_alive() for thread in executor._threads)


def test_an_unused_pool_is_shut_down_at_once(executor: ThreadPoolExecutor) -> None:
    executor.shutdown()
    assert executor._shutdown
    assert len(executor._threads) == 0


def test_shutdown_may_be_repeated(executor: ThreadPoolExecutor) -> None:
    executor.submit(int).result(LIMIT)
    for options in ({}, {"wait": False}, {"cancel_futures": True}, {}):
        assert executor.shutdown(**options) is None


def test_many_threads_may_shut_down_at_once(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    downs = [in_thread(executor.shutdown) for _ in range(8)]
    assert eventually(lambda: executor._shutdown)
    gate.open()
    for down in downs:
        down.get()
    assert not any(thread.is_alive() for thread in executor._threads)


@pytest.mark.parametrize("wait", [True, False])
def test_nothing_can_be_submitted_afterwards(executor: ThreadPoolExecutor, wait: bool) -> None:
    executor.submit(int).result(LIMIT)
    executor.shutdown(wait=wait)
    expected = ("raised", RuntimeError, "cannot schedule new futures after shutdown")
    for _ in range(2):
        assert outcome(executor.submit, int) == expected
        assert outcome(executor.submit, 5) == expected
        assert outcome(executor.map, int, [1]) == expected
    assert list(executor.map(int, [])) == []


def test_cancelling_futures_spares_what_runs(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    running = occupy(executor, gate, workers)
    queued = [executor.submit(int) for _ in range(20)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in queued)
    assert not any(future.cancelled() for future in running)
    gate.open()
    assert [future.result(LIMIT) for future in running] == [None] * workers


def test_cancelling_futures_runs_their_callbacks_once(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = [executor.submit(int) for _ in range(10)]
    calls: list[Any] = []
    for future in queued:
        future.add_done_callback(calls.append)
    queued[3].cancel()
    assert calls == [queued[3]]
    executor.shutdown(wait=False, cancel_futures=True)
    assert sorted(calls, key=id) == sorted(queued, key=id)


def test_futures_may_be_cancelled_by_a_second_shutdown(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = [executor.submit(int) for _ in range(10)]
    executor.shutdown(wait=False)
    assert not any(future.done() for future in queued)
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in queued)


@pytest.mark.ours  # the standard library never tells them, so such waits hang
def test_cancelling_futures_wakes_those_who_wait_for_them(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = [executor.submit(int) for _ in range(5)]
    waits = [in_thread(module.wait, queued, LIMIT) for module in (concurrent.futures, treadle)]
    lists = [
        in_thread(lambda module=module: list(module.as_completed(queued, LIMIT)))
        for module in (concurrent.futures, treadle)
    ]
    assert eventually(lambda: all(len(future._waiters) >= 2 for future in queued))
    executor.shutdown(wait=False, cancel_futures=True)
    assert [future._state for future in queued] == ["CANCELLED_AND_NOTIFIED"] * 5
    for wait in waits:
        done, not_done = wait.get()
        assert (done, not_done) == (set(queued), set())
    for completed in lists:
        assert set(completed.get()) == set(queued)


@pytest.mark.ours
def test_cancelled_by_shutdown_is_seen_by_waits_that_begin_afterwards(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = [executor.submit(int) for _ in range(5)]
    queued[2].cancel()
    executor.shutdown(wait=False, cancel_futures=True)
    assert concurrent.futures.wait(queued, LIMIT).not_done == set()
    assert len(list(concurrent.futures.as_completed(queued, LIMIT))) == 5


def test_a_worker_cannot_wait_for_its_own_end(
    executor: ThreadPoolExecutor,
) -> None:
    future = executor.submit(executor.shutdown)
    with pytest.raises(RuntimeError, match=r"^cannot join current thread$"):
        future.result(LIMIT)
    assert executor._shutdown


def test_a_worker_may_shut_down_without_waiting(executor: ThreadPoolExecutor) -> None:
    assert executor.submit(executor.shutdown, False).result(LIMIT) is None
    assert outcome(executor.submit, int)[1] is RuntimeError


def test_a_worker_of_one_pool_may_shut_another_down(
    make_executor: Callable[..., ThreadPoolExecutor], workers: int
) -> None:
    outer, inner = make_executor(1), make_executor(workers)
    numbers = [inner.submit(int, number) for number in range(10)]
    assert outer.submit(inner.shutdown).result(LIMIT) is None
    assert [future.result(0) for future in numbers] == list(range(10))


def test_a_task_running_during_shutdown_may_not_submit(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    def task() -> Any:
        gate.wait()
        return outcome(executor.submit, int)

    future = executor.submit(task)
    gate.await_arrivals()
    executor.shutdown(wait=False)
    gate.open()
    assert future.result(LIMIT)[1:] == (
        RuntimeError,
        "cannot schedule new futures after shutdown",
    )


def test_shutdown_waits_for_callbacks_too(executor: ThreadPoolExecutor, gate: Gate) -> None:
    ended = threading.Event()
    future = executor.submit(gate.wait)
    gate.await_arrivals()
    second = Gate()
    future.add_done_callback(lambda _: (second.wait(), ended.set()))
    gate.open()
    second.await_arrivals()
    down = in_thread(executor.shutdown)
    assert eventually(lambda: executor._shutdown)
    second.open()
    down.get()
    assert ended.is_set()
