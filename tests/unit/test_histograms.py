"""`statistics()` of pools with histograms: how long calls waited and ran."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread
import contextvars
from typing import TYPE_CHECKING, Any

import pytest

from support.counted import fail, item_arguments
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.ours


def test_without_histograms_there_are_none(executor: Any) -> None:
    executor.submit(int).result(LIMIT)
    seen = executor.statistics()
    assert (seen.longest_running, seen.queue_wait, seen.run_time) == (None, None, None)


def test_histograms_have_every_call_that_has_run(
    make_executor: Callable[..., Any], workers: int
) -> None:
    pool = make_executor(workers, histograms=True)
    futures = pool.submit_many(abs, range(40)) + [pool.submit(fail) for _ in range(10)]
    list(pool.map(abs, range(50)))
    concurrent.futures.wait(futures, LIMIT)
    pool.submit(lambda: pool.submit(int).result()).result(LIMIT)
    seen = pool.statistics()
    for histogram in (seen.queue_wait, seen.run_time):
        assert histogram.count == 102
        assert 0 <= histogram.p50 <= histogram.p90 <= histogram.p99 <= histogram.max < LIMIT
        assert 0 < histogram.mean <= histogram.max


def test_calls_keep_their_arguments_beside_the_moment_of_submission(
    make_executor: Callable[..., Any], workers: int
) -> None:
    pool = make_executor(workers, histograms=True)

    def given(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    variable.set(1)
    for count in range(7):
        args = tuple(range(count))
        assert pool.submit(given, *args).result(LIMIT) == (args, {})
        assert pool.submit(given, *args, a=1, b=2).result(LIMIT) == (args, {"a": 1, "b": 2})
        if count > 0:
            assert pool.submit_many(given, *([n] for n in args))[0].result(LIMIT) == (args, {})
    cancelled = pool.submit(given, 1, 2, 3)
    cancelled.cancel()
    seen = pool.statistics()
    assert seen.queue_wait.max < LIMIT


def test_how_long_calls_waited_and_ran(
    make_executor: Callable[..., Any], gate: Gate, workers: int
) -> None:
    pool = make_executor(workers, histograms=True)
    occupied = occupy(pool, gate, workers)
    queued = pool.submit(int)
    assert eventually(lambda: pool.statistics().longest_running > 0.02)
    assert pool.statistics().run_time.count == 0
    gate.open()
    concurrent.futures.wait([*occupied, queued], LIMIT)
    seen = pool.statistics()
    assert seen.longest_running == 0.0
    assert seen.run_time.count == workers + 1
    assert 0.02 < seen.run_time.max < LIMIT
    assert 0.0 < seen.queue_wait.max < LIMIT


def test_work_items_are_measured_too(make_executor: Callable[..., Any], workers: int) -> None:
    pool = make_executor(workers, histograms=True)
    pool._work_queue.put(concurrent.futures.thread._WorkItem(*item_arguments()))
    assert eventually(lambda: pool.statistics().completed == 1)
    assert pool.statistics().queue_wait.count == pool.statistics().run_time.count == 1
    assert pool.statistics().queue_wait.max < LIMIT


@pytest.mark.parametrize("histograms", [False, True])
def test_calls_that_their_submitter_runs(
    make_executor: Callable[..., Any], gate: Gate, histograms: bool
) -> None:
    pool = make_executor(1, max_pending=1, when_full="run", histograms=histograms)
    occupy(pool, gate, 1)
    pool.submit(int)

    def look(more: int) -> Any:
        inner = pool.submit(look, more - 1).result(0) if more else []
        return [pool.statistics(), *inner]

    outer, inner = pool.submit(look, 1).result(0)
    for seen in (outer, inner):
        assert seen.pending == 1  # as many as wait in the queue, no more than it may hold
    assert (inner.running, outer.running) == (3, 2)
    assert (outer.completed, pool.statistics().completed) == (1, 2)
    assert isinstance(pool.submit(fail).exception(0), LookupError)
    gate.open()
    pool.shutdown()
    seen = pool.statistics()
    assert (seen.completed, seen.failed, seen.submitted) == (4, 1, 5)
    if histograms:
        assert seen.run_time.count == seen.queue_wait.count == 5
