"""The workers of a pool: ordinary threads of Python, started late, named, traced and counted."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.libraries import STANDARD, Library
from support.waiting import LIMIT, Gate, eventually, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor


def let_the_worker_rest(pool: ThreadPoolExecutor, library: Library) -> None:
    """In the standard library a worker is counted as idle a moment after its task's result."""
    if library is STANDARD:
        assert eventually(lambda: pool._idle_semaphore._value > 0)


def test_an_idle_worker_is_used_before_a_new_one_starts(
    executor: ThreadPoolExecutor, library: Library
) -> None:
    for number in range(100):
        assert executor.submit(int, number).result(LIMIT) == number
        let_the_worker_rest(executor, library)
    assert len(executor._threads) == 1


@pytest.mark.standard_since(3, 12)  # older ones count an idle worker twice
def test_every_idle_worker_is_used_before_a_new_one_starts(
    executor: ThreadPoolExecutor, library: Library, gate: Gate, workers: int
) -> None:
    first = occupy(executor, gate, workers - 1)
    gate.open()
    for future in first:
        future.result(LIMIT)
    if library is STANDARD:
        assert eventually(lambda: executor._idle_semaphore._value == workers - 1)
    second = Gate()
    occupy(executor, second, workers - 1)
    assert len(executor._threads) == workers - 1
    second.open()


def test_tasks_that_wait_for_workers_start_them_up_to_the_most(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    futures = [executor.submit(gate.wait) for _ in range(workers)]
    assert len(executor._threads) == workers
    futures += [executor.submit(gate.wait) for _ in range(3 * workers)]
    assert len(executor._threads) == workers
    gate.await_arrivals(workers)
    gate.open()
    assert all(future.result(LIMIT) is None for future in futures)
    assert len(executor._threads) == workers


def test_workers_are_started_one_for_one(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    for number in range(workers):
        assert len(executor._threads) == number
        occupy(executor, gate, 1)
    assert len(executor._threads) == workers


def test_workers_are_threads_named_by_prefix_and_number(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate, workers: int
) -> None:
    pool = make_executor(workers, thread_name_prefix="special")
    futures = [pool.submit(lambda: gate.wait(threading.current_thread())) for _ in range(workers)]
    gate.await_arrivals(workers)
    gate.open()
    names = sorted(future.result(LIMIT).name for future in futures)
    assert names == sorted(f"special_{number}" for number in range(workers))
    assert sorted(thread.name for thread in pool._threads) == names


def test_workers_are_seen_by_the_threading_module(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    threads = set(executor._threads)
    assert len(threads) == workers
    assert threads <= set(threading.enumerate())
    for thread in threads:
        assert isinstance(thread, threading.Thread)
        assert thread.is_alive()
        assert not thread.daemon
        assert thread.ident in sys._current_frames()
        assert thread.native_id is not None


def test_the_current_thread_of_a_task_is_its_worker(
    executor: ThreadPoolExecutor, workers: int
) -> None:
    threads = {executor.submit(threading.current_thread).result(LIMIT) for _ in range(50)}
    assert threads <= set(executor._threads)
    identities = {executor.submit(threading.get_ident).result(LIMIT) for _ in range(50)}
    assert identities <= {thread.ident for thread in executor._threads}
    assert len(executor._threads) <= workers


def test_workers_can_be_joined_after_shutdown(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    threads = set(executor._threads)
    executor.shutdown(wait=False)
    assert all(thread.is_alive() for thread in threads)
    gate.open()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_thread_locals_last_as_long_as_the_worker(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    local = threading.local()

    def count() -> int:
        local.count = getattr(local, "count", 0) + 1
        return local.count

    assert [pool.submit(count).result(LIMIT) for _ in range(10)] == list(range(1, 11))
    assert not hasattr(local, "count")


@pytest.fixture
def traced() -> Iterator[list[tuple[str, str]]]:
    """Records the events of the hooks that new threads get."""
    events: list[tuple[str, str]] = []

    def trace(frame: Any, event: str, _: Any) -> None:
        events.append((event, frame.f_code.co_name))

    before = threading.gettrace(), threading.getprofile()
    threading.settrace(trace)
    yield events
    threading.settrace(before[0])  # type: ignore[arg-type]
    threading.setprofile(before[1])


def a_traced_task() -> None:
    pass


def test_the_trace_hook_of_threading_sees_the_tasks(
    traced: list[tuple[str, str]], executor: ThreadPoolExecutor
) -> None:
    executor.submit(a_traced_task).result(LIMIT)
    assert ("call", "a_traced_task") in traced


def test_the_profile_hook_of_threading_sees_the_tasks(
    traced: list[tuple[str, str]], executor: ThreadPoolExecutor
) -> None:
    hook = threading.gettrace()
    threading.settrace(None)  # type: ignore[arg-type]
    threading.setprofile(hook)  # type: ignore[arg-type]
    executor.submit(a_traced_task).result(LIMIT)
    assert ("call", "a_traced_task") in traced
    assert ("return", "a_traced_task") in traced


def test_no_error_of_a_task_reaches_the_excepthook_of_threads(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    for error in (ValueError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()):
        assert executor.submit(throw, error).exception(LIMIT) is error
    executor.shutdown()
    assert seen == []


def test_a_task_sees_no_exception_of_an_earlier_one(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    assert pool.submit(throw, ValueError()).exception(LIMIT) is not None
    assert pool.submit(sys.exc_info).result(LIMIT) == (None, None, None)
    second = pool.submit(throw, KeyError()).exception(LIMIT)
    assert second is not None
    assert second.__context__ is None
