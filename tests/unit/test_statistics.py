"""`statistics()`: every call is counted once, before its outcome can be seen."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.counted import fail, item_arguments
from support.waiting import LIMIT, Gate, eventually, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.logs import LogRecorder

pytestmark = pytest.mark.ours

COUNTS = ("submitted", "completed", "failed", "cancelled", "pending", "running")


def counts(pool: Any) -> dict[str, int]:
    """What became of the calls, without what is 0."""
    seen = pool.statistics()
    assert seen.submitted == (
        seen.pending + seen.running + seen.completed + seen.failed + seen.cancelled
    )
    return {name: getattr(seen, name) for name in COUNTS if getattr(seen, name) != 0}


@pytest.fixture(params=[False, True], ids=["counts", "histograms"])
def pool(
    request: pytest.FixtureRequest, make_executor: Callable[..., Any], workers: int
) -> treadle.ThreadPoolExecutor:
    """A pool, with histograms and without: both count the same."""
    return make_executor(workers, histograms=request.param)


def test_a_new_pool_has_done_nothing(pool: treadle.ThreadPoolExecutor, workers: int) -> None:
    seen = pool.statistics()
    values = dataclasses.astuple(seen)
    assert values[0] == workers
    assert values[1:12] == (0,) * 11
    if seen.queue_wait is not None:
        assert seen.queue_wait == seen.run_time == treadle.Histogram(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        assert seen.longest_running == 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.idle = 5  # type: ignore[misc]


def test_a_call_is_counted_before_its_outcome_is_seen(pool: treadle.ThreadPoolExecutor) -> None:
    for number in range(1, 300):
        assert pool.submit(abs, -number).result(LIMIT) == number
        assert counts(pool) == {"submitted": number, "completed": number}


def test_results_and_exceptions(pool: treadle.ThreadPoolExecutor) -> None:
    futures = [pool.submit(fail if number % 3 == 0 else abs, number) for number in range(30)]
    concurrent.futures.wait(futures, LIMIT)
    assert counts(pool) == {"submitted": 30, "completed": 20, "failed": 10}


def test_what_runs_and_what_waits(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    running = occupy(pool, gate, workers)
    queued = [pool.submit(int) for _ in range(5)]
    assert counts(pool) == {"submitted": workers + 5, "running": workers, "pending": 5}
    assert queued[1].cancel()
    assert queued[3].cancel()
    assert queued[3].cancel()
    assert counts(pool) == {
        "submitted": workers + 5,
        "running": workers,
        "pending": 3,
        "cancelled": 2,
    }
    assert (pool.statistics().workers, pool.statistics().idle) == (workers, 0)
    gate.open()
    concurrent.futures.wait([*running, *queued], LIMIT)
    assert counts(pool) == {"submitted": workers + 5, "completed": workers + 3, "cancelled": 2}
    assert eventually(lambda: pool.statistics().idle == workers)


def test_the_counts_survive_the_workers(pool: treadle.ThreadPoolExecutor) -> None:
    concurrent.futures.wait(pool.submit_many(int, range(50)), LIMIT)
    before = pool.statistics()
    pool.shutdown()
    after = pool.statistics()
    assert after.workers == 0
    assert after == dataclasses.replace(before, workers=0, idle=0)


@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_the_items_of_a_map_are_calls(pool: treadle.ThreadPoolExecutor, method: str) -> None:
    mapped: Any = getattr(pool, method)
    assert len(list(mapped(abs, range(100)))) == 100
    assert counts(pool) == {"submitted": 100, "completed": 100}
    assert len(list(mapped(abs, iter(range(20)), buffersize=3))) == 20
    assert counts(pool) == {"submitted": 120, "completed": 120}


def test_a_map_that_fails_or_is_closed_cancels_its_rest(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    results = pool.map(lambda n: gate.wait(n) if n == 1 else fail() if n == 2 else n, range(10))
    assert next(results) == 0
    gate.await_arrivals()
    assert counts(pool) == {"submitted": 10, "completed": 1, "running": 1, "pending": 8}
    results.close()
    assert counts(pool) == {"submitted": 10, "completed": 1, "running": 1, "cancelled": 8}
    gate.open()
    assert eventually(lambda: counts(pool) == {"submitted": 10, "completed": 2, "cancelled": 8})
    with pytest.raises(LookupError):
        list(pool.map(fail, range(3)))
    seen = counts(pool)
    assert seen.pop("failed") + seen.pop("cancelled") == 11
    assert seen == {"submitted": 13, "completed": 2}


def test_tasks_inside_of_tasks(pool: treadle.ThreadPoolExecutor) -> None:
    """A worker that waits runs them itself, out of turn."""

    def outer(depth: int) -> int:
        return depth if depth == 0 else pool.submit(outer, depth - 1).result() + 1

    def mapping() -> int:
        return sum(pool.map(abs, range(10)))

    assert pool.submit(outer, 20).result(LIMIT) == 20
    assert counts(pool) == {"submitted": 21, "completed": 21}
    assert pool.submit(mapping).result(LIMIT) == 45
    assert counts(pool) == {"submitted": 32, "completed": 32}


def test_a_shutdown_that_cancels(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    pool.submit_many(int, range(4))
    pool.map(int, range(3))
    pool._work_queue.put(concurrent.futures.thread._WorkItem(*item_arguments()))
    cancelled = pool.submit(int)
    assert cancelled.cancel()
    assert counts(pool) == {
        "submitted": workers + 9,
        "running": workers,
        "pending": 8,
        "cancelled": 1,
    }
    pool.shutdown(wait=False, cancel_futures=True)
    assert counts(pool) == {"submitted": workers + 9, "running": workers, "cancelled": 9}
    gate.open()
    pool.shutdown()
    assert counts(pool) == {"submitted": workers + 9, "completed": workers, "cancelled": 9}


def test_what_is_refused(pool: treadle.ThreadPoolExecutor) -> None:
    pool.submit(int).result(LIMIT)
    pool.shutdown()
    for refused in (
        lambda: pool.submit(int),
        lambda: pool.submit_many(int, range(3)),
        lambda: pool.map(int, range(5)),
        lambda: pool._work_queue.put(concurrent.futures.thread._WorkItem(*item_arguments())),
    ):
        with pytest.raises(RuntimeError, match="after shutdown"):
            refused()
    assert counts(pool) == {"submitted": 1, "completed": 1}
    assert pool.statistics().rejected == 10


def test_a_broken_pool(
    make_executor: Callable[..., Any], gate: Gate, futures_log: LogRecorder
) -> None:
    def initialize() -> None:
        gate.wait()
        fail()

    pool = make_executor(1, initializer=initialize)
    futures = [pool.submit(int) for _ in range(3)]
    gate.await_arrivals()
    results = pool.map(int, range(2))
    assert futures[1].cancel()
    assert counts(pool) == {"submitted": 5, "pending": 4, "cancelled": 1}
    gate.open()
    with pytest.raises(treadle.BrokenThreadPool):
        futures[0].result(LIMIT)
    with pytest.raises(treadle.BrokenThreadPool):
        list(results)
    with pytest.raises(treadle.BrokenThreadPool):
        pool.submit(int)
    assert eventually(lambda: counts(pool) == {"submitted": 5, "failed": 4, "cancelled": 1})
    assert pool.statistics().rejected == 1
    assert len(futures_log.take()) == 1


def test_work_items_that_no_worker_runs_end_all_the_same(
    make_executor: Callable[..., Any], gate: Gate, futures_log: LogRecorder
) -> None:
    def put_into(pool: treadle.ThreadPoolExecutor) -> concurrent.futures.Future[Any]:
        arguments = item_arguments()
        pool._work_queue.put(concurrent.futures.thread._WorkItem(*arguments))
        future: concurrent.futures.Future[Any] = arguments[0]
        return future

    pool = make_executor(1)
    occupy(pool, gate, 1)
    cancelled, finished = put_into(pool), put_into(pool)
    finished.set_result(1)
    pool.shutdown(wait=False, cancel_futures=True)
    assert (cancelled.cancelled(), finished.result(0)) == (True, 1)
    assert counts(pool) == {"submitted": 3, "running": 1, "cancelled": 2}

    def initialize() -> None:
        gate.wait()
        fail()

    pool = make_executor(1, initializer=initialize)
    pool.submit(int)
    failed, cancelled, finished = (put_into(pool) for _ in range(3))
    assert cancelled.cancel()
    finished.set_result(1)
    gate.open()
    with pytest.raises(treadle.BrokenThreadPool):
        failed.result(LIMIT)
    assert (cancelled.cancelled(), finished.result(0)) == (True, 1)
    pool.shutdown()
    assert counts(pool) == {"submitted": 4, "failed": 4}
    assert len(futures_log.take()) == 1


def test_calls_of_an_event_loop(pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        occupied = [loop.run_in_executor(pool, gate.wait) for _ in range(workers)]
        gate.await_arrivals(workers)
        queued = [loop.run_in_executor(pool, fail) for _ in range(4)]
        assert queued[0].cancel()
        assert counts(pool)["running"] == workers
        gate.open()
        await asyncio.gather(*occupied)
        await asyncio.gather(*queued, return_exceptions=True)
        await pool.submit(int)

    asyncio.run(main())
    assert eventually(
        lambda: counts(pool)
        == {"submitted": workers + 5, "completed": workers + 1, "failed": 3, "cancelled": 1}
    )


def test_work_items_of_tools(pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int) -> None:
    items: Any = concurrent.futures.thread._WorkItem
    pool._work_queue.put(items(*item_arguments()))
    assert eventually(lambda: counts(pool) == {"submitted": 1, "completed": 1})
    pool._work_queue.put(items(*item_arguments(fail)))
    assert eventually(lambda: counts(pool) == {"submitted": 2, "completed": 1, "failed": 1})
    occupy(pool, gate, workers)
    cancelled = item_arguments()
    pool._work_queue.put(items(*cancelled))
    assert counts(pool)["pending"] == 1
    assert cancelled[0].cancel()
    gate.open()
    assert eventually(lambda: counts(pool).get("cancelled") == 1)
    assert counts(pool)["submitted"] == 3 + workers


def test_calls_that_tools_take_out(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    """They are no business of the pool any more, whatever becomes of them."""
    occupy(pool, gate, workers)
    future = pool.submit(abs, -1)
    pool._work_queue.put(concurrent.futures.thread._WorkItem(*item_arguments()))
    item = pool._work_queue.get_nowait()
    pool._work_queue.get_nowait()
    expected = {"submitted": workers + 2, "running": workers, "cancelled": 2}
    assert counts(pool) == expected
    item.run()
    assert future.result(LIMIT) == 1
    assert counts(pool) == expected


def test_futures_that_others_finish(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int, futures_log: LogRecorder
) -> None:
    occupy(pool, gate, workers)
    given, raising, begun = (pool.submit(int) for _ in range(3))
    given.set_result(5)
    assert counts(pool) == {
        "submitted": workers + 3,
        "running": workers,
        "pending": 2,
        "completed": 1,
    }
    raising.set_exception(LookupError())
    assert begun.set_running_or_notify_cancel()
    assert counts(pool) == {
        "submitted": workers + 3,
        "running": workers,
        "pending": 1,
        "completed": 1,
        "failed": 1,
    }
    gate.open()
    pool.shutdown()
    assert counts(pool) == {
        "submitted": workers + 3,
        "completed": workers + 1,
        "failed": 1,
        "cancelled": 1,
    }
    assert len(futures_log.take()) == 1  # of the one that was begun elsewhere


def test_a_running_call_that_was_asked_to_stop_is_abandoned(
    pool: treadle.ThreadPoolExecutor, gate: Gate
) -> None:
    def stops() -> None:
        gate.wait()
        treadle.check_cancelled()

    for submitted, (call, ended) in enumerate([(gate.wait, "completed"), (stops, "cancelled")]):
        future = pool.submit(call)
        if submitted == 0:
            gate.await_arrivals()
            assert pool.statistics().abandoned == 0
            assert not future.cancel()
            assert not future.cancel()
            assert future.request_cancel()
            assert pool.statistics().abandoned == 1
            gate.open()
        else:
            future.request_cancel()
        concurrent.futures.wait([future], LIMIT)
        assert pool.statistics().abandoned == 0
        assert ended == "cancelled" or counts(pool)[ended] == 1


def test_a_call_that_stops_when_it_is_asked_ends_cancelled(
    pool: treadle.ThreadPoolExecutor, gate: Gate
) -> None:
    def stops() -> None:
        gate.wait()
        treadle.check_cancelled()

    future = pool.submit(stops)
    gate.await_arrivals()
    future.cancel()
    gate.open()
    concurrent.futures.wait([future], LIMIT)
    assert counts(pool) == {"submitted": 1, "cancelled": 1}
    assert pool.statistics().abandoned == 0


def test_the_parts_make_up_the_whole_while_everything_moves(
    pool: treadle.ThreadPoolExecutor, workers: int
) -> None:
    def submit() -> None:
        for number in range(30):
            pool.submit_many(abs if number % 2 else fail, range(20))
            pool.submit(int).cancel()
            list(pool.map(int, range(10)))

    submitters = [threading.Thread(target=submit) for _ in range(3)]
    for thread in submitters:
        thread.start()
    last = pool.statistics()
    while any(thread.is_alive() for thread in submitters):
        seen = pool.statistics()
        counts(pool)
        assert seen.running <= workers
        for name in ("submitted", "completed", "failed", "cancelled"):
            assert getattr(seen, name) >= getattr(last, name)
        last = seen
    pool.shutdown()
    seen = counts(pool)  # type: ignore[assignment]
    assert seen.pop("completed") + seen.pop("failed") + seen.pop("cancelled", 0) == 30 * 31 * 3
    assert seen == {"submitted": 30 * 31 * 3}
