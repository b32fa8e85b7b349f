"""Threads that cannot be started: a clear error, a pool that still works, and nothing lost."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.ours


@pytest.fixture
def allow_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets so many more threads start, and no others."""
    start = threading.Thread.start

    def allow(count: int) -> None:
        left = [count]

        def limited_start(self: threading.Thread) -> None:
            if left[0] == 0:
                message = "can't start new thread"
                raise RuntimeError(message)
            left[0] -= 1
            start(self)

        monkeypatch.setattr(threading.Thread, "start", limited_start)

    return allow


def test_a_first_worker_that_cannot_start_is_an_error_and_the_pool_recovers(
    executor: ThreadPoolExecutor, allow_threads: Callable[[int], None]
) -> None:
    ran: list[str] = []
    allow_threads(0)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            executor.submit(ran.append, "refused")
    assert len(executor._threads) == 0
    allow_threads(100)
    assert executor.submit(ran.append, "accepted").result(LIMIT) is None
    executor.shutdown()
    assert ran == ["accepted"]


@pytest.mark.worker_counts(2, 8)
def test_a_pool_goes_on_with_the_workers_that_it_has(
    executor: ThreadPoolExecutor, gate: Gate, allow_threads: Callable[[int], None]
) -> None:
    ran: list[int] = []
    allow_threads(1)
    occupy(executor, gate, 1)
    answers = [outcome(executor.submit, ran.append, number) for number in range(50)]
    gate.open()
    accepted = [number for number, answer in enumerate(answers) if answer[0] == "gave"]
    for number, answer in enumerate(answers):
        if number in accepted:
            assert answer[1].result(LIMIT) is None
        else:
            assert answer == ("raised", RuntimeError, "can't start new thread")
    executor.shutdown()
    assert sorted(ran) == accepted
    assert len(executor._threads) == 1


@pytest.mark.worker_counts(2, 8)
def test_map_and_submit_many_lose_nothing_when_threads_run_out(
    executor: Any, gate: Gate, allow_threads: Callable[[int], None]
) -> None:
    allow_threads(1)
    occupy(executor, gate, 1)
    gate.open()
    assert list(executor.map(int, range(100))) == list(range(100))
    futures = executor.submit_many(int, range(100))
    assert [future.result(LIMIT) for future in futures] == list(range(100))


@pytest.mark.parametrize("policy", ["block", "raise", "run", "drop_oldest"])
def test_a_batch_for_which_no_thread_starts_leaves_nothing_in_a_bounded_queue(
    make_executor: Callable[..., Any], allow_threads: Callable[[int], None], policy: str
) -> None:
    pool = make_executor(1, max_pending=3, when_full=policy)
    ran: list[int] = []
    allow_threads(0)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            pool.submit_many(ran.append, range(3))
    seen = pool.statistics()
    assert (seen.pending, seen.cancelled, seen.submitted) == (0, 9, 9)
    allow_threads(100)
    assert [future.result(LIMIT) for future in pool.submit_many(int, range(3))] == [0, 1, 2]
    pool.shutdown()
    assert ran == []


@pytest.mark.parametrize("policy", ["block", "raise", "run", "drop_oldest"])
def test_a_call_for_which_no_thread_starts_keeps_no_place(
    make_executor: Callable[..., Any],
    gate: Gate,
    allow_threads: Callable[[int], None],
    policy: str,
) -> None:
    pool = make_executor(1, max_pending=2, when_full=policy)
    allow_threads(0)
    for _ in range(3):
        for submit in (
            pool.submit,
            pool.try_submit,
            pool.options(priority=1).submit,
            lambda fn: asyncio.run(pool.submit_async(fn)),
            lambda fn: next(pool.map(fn, [1])),
        ):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                submit(int)
    seen = pool.statistics()
    assert (seen.submitted, seen.pending, seen.rejected) == (0, 0, 15)
    allow_threads(100)
    occupy(pool, gate, 1)
    assert [pool.try_submit(int) is None for _ in range(3)] == [False, False, True]


def test_a_pool_that_recovers_grows(
    executor: ThreadPoolExecutor,
    gate: Gate,
    workers: int,
    allow_threads: Callable[[int], None],
) -> None:
    allow_threads(0)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        executor.submit(int)
    allow_threads(100)
    occupy(executor, gate, workers)
    assert len(executor._threads) == workers
    names = {thread.name.rpartition("_")[2] for thread in executor._threads}
    assert len(names) == workers


def test_the_real_limit_of_a_process_is_a_clear_error_and_nothing_is_lost(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        import re, resource
        threading.stack_size(64 << 20)
        with open("/proc/self/status") as file:
            used = int(re.search(r"VmSize:\\s+(\\d+) kB", file.read())[1]) << 10
        gate = threading.Event()
        pool = ThreadPoolExecutor(100_000)
        pool.submit(int).result()
        old = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), old[1]))
        accepted, refused = [], 0
        for number in range(100):
            try:
                accepted.append(pool.submit(lambda number: (gate.wait(), number)[1], number))
            except RuntimeError as error:
                assert "can't start new thread" in str(error), error
                refused += 1
        gate.set()
        assert len(pool._threads) < 60, len(pool._threads)
        numbers = [future.result(20) for future in accepted]
        assert numbers == sorted(set(numbers))
        assert len(accepted) + refused == 100
        resource.setrlimit(resource.RLIMIT_AS, old)
        assert list(pool.map(int, range(100))) == list(range(100))
        pool.shutdown()
        print(len(accepted) > 2)
    """)
    assert output.split() == ["True"]


def test_a_huge_number_of_workers_costs_nothing_until_it_is_needed(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    for max_workers in (10_000, 2**31 - 1):
        pool = make_executor(max_workers)
        assert pool._max_workers == max_workers
        assert [pool.submit(int, 3).result(LIMIT) for _ in range(5)] == [3] * 5
        assert len(pool._threads) <= 5


@pytest.mark.parametrize("max_workers", [2**31, 2**32, 2**63, 10**30], ids=hex)
def test_an_absurd_number_of_workers_works_or_is_refused_clearly(
    make_executor: Callable[..., ThreadPoolExecutor], max_workers: int
) -> None:
    answer = outcome(make_executor, max_workers)
    if answer[0] == "gave":
        assert answer[1].submit(int, 3).result(LIMIT) == 3
    else:
        assert answer[1] in (OverflowError, ValueError)
        assert answer[2]
