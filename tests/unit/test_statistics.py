"""`statistics()`: every call is counted once, before its outcome can be seen."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import contextvars
import dataclasses
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
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


def fail(*_: Any) -> None:
    raise LookupError


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


def item_arguments(fn: Callable[..., Any] = int) -> tuple[Any, ...]:
    """What this Python's own work items are made of."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    parameters = inspect.signature(concurrent.futures.thread._WorkItem).parameters
    return (future, (fn, (), {})) if len(parameters) == 2 else (future, fn, (), {})


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


# ---- histograms


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


# ---- the child of a fork


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.parametrize("histograms", [False, True])
def test_a_child_that_a_call_in_its_submitter_has_forked(
    run_child: Callable[..., str], histograms: bool
) -> None:
    output = run_child(f"""
def numbers():
    seen = pool.statistics()
    return (seen.submitted, seen.pending, seen.running, seen.completed, seen.abandoned)

pool = ThreadPoolExecutor(1, max_pending=1, when_full="run", histograms={histograms})
release, begun = threading.Event(), threading.Event()
pool.submit(lambda: (begun.set(), release.wait()))
begun.wait()
pool.submit(int)

def fork():
    return os.fork(), numbers()

process, seen = pool.submit(lambda: pool.submit(fork).result()).result()
if process == 0:
    signal.alarm(25)
    print(seen, numbers())
    sys.stdout.flush()
    os._exit(0)
os.waitpid(process, 0)
release.set()
pool.shutdown()
print(numbers())
""")
    assert output.splitlines() == ["(2, 0, 2, 0, 0) (2, 0, 0, 2, 0)", "(4, 0, 0, 4, 0)"]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.parametrize("histograms", [False, True])
def test_a_child_of_a_fork_counts_anew(run_child: Callable[..., str], histograms: bool) -> None:
    output = run_child(f"""
def numbers(pool):
    seen = pool.statistics()
    return (seen.submitted, seen.running, seen.completed, seen.cancelled, seen.pending)

def in_child(function):
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        signal.alarm(25)
        try:
            print(*function())
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(process, 0)

pool = ThreadPoolExecutor(1, histograms={histograms})
for number in range(5):
    pool.submit(int).result()
in_child(lambda: numbers(pool))

def used():
    before = numbers(pool)
    pool.submit(int).result()
    return before, numbers(pool)

def task():
    queued.append(pool.submit(int))
    in_child(used)

queued = []
pool.submit(task).result()
queued[0].result()
print(*numbers(pool))
""")
    lines = output.splitlines()
    assert lines == [
        "0 0 0 0 0",
        "(1, 1, 0, 0, 0) (2, 1, 1, 0, 0)",
        "7 0 7 0 0",
    ]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_child_knows_that_the_call_which_forked_was_asked_to_stop(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
pool = ThreadPoolExecutor(1)
running, asked = threading.Event(), threading.Event()

def fork():
    running.set()
    asked.wait()
    process = os.fork()
    if process == 0:
        print(pool.statistics().abandoned)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(process, 0)

future = pool.submit(fork)
running.wait()
future.cancel()
asked.set()
future.result()
print(pool.statistics().abandoned)
""")
    assert output.split() == ["1", "0"]
