"""Memory and references stay flat over very many tasks of every kind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.references import FREE_THREADED
from support.waiting import LIMIT, Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

BATCH = 2_000
MEGABYTE = 1 << 20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def submit_and_read(pool: Any) -> None:
    for future in [pool.submit(int, number) for number in range(BATCH)]:
        future.result(LIMIT)


def submit_many(pool: Any) -> None:
    for future in pool.submit_many(str, range(BATCH)):
        future.result(LIMIT)


def use_keywords(pool: Any) -> None:
    for future in [pool.submit(dict, a=number, b=[number]) for number in range(BATCH)]:
        future.result(LIMIT)


def fail(pool: Any) -> None:
    for future in [pool.submit(int, "wrong") for _ in range(BATCH)]:
        assert future.exception(LIMIT) is not None


def read_failures(pool: Any) -> None:
    for future in [pool.submit(throw, ValueError(number)) for number in range(BATCH // 4)]:
        with pytest.raises(ValueError):  # noqa: PT011
            future.result(LIMIT)


def cancel(pool: Any) -> None:
    futures = [pool.submit(int) for _ in range(BATCH)]
    for future in futures:
        future.cancel()
    pool.submit(int).result(LIMIT)


def forget(pool: Any) -> None:
    for number in range(BATCH):
        pool.submit(str, number)
    pool.submit(int).result(LIMIT)


def call_back(pool: Any) -> None:
    calls: list[Any] = []
    for future in [pool.submit(int) for _ in range(BATCH)]:
        future.add_done_callback(calls.append)
    pool.submit(int).result(LIMIT)
    del calls


def map_all(pool: Any) -> None:
    assert sum(pool.map(int, range(BATCH))) == sum(range(BATCH))
    assert sum(pool.map_unordered(int, range(BATCH))) == sum(range(BATCH))


def map_in_part(pool: Any) -> None:
    results = pool.map(str, range(BATCH))
    assert next(results) == "0"
    results.close()


def wait_for_all(pool: Any) -> None:
    futures = [pool.submit(int) for _ in range(BATCH)]
    assert not treadle.wait(futures, LIMIT).not_done
    assert len(list(treadle.as_completed(futures))) == BATCH
    assert not concurrent.futures.wait(futures, LIMIT).not_done


def run_out_of_time(pool: Any) -> None:
    futures = [treadle.Future[Any]() for _ in range(20)]
    for _ in range(20):
        treadle.wait(futures, 0)
        error = throws(lambda: list(treadle.as_completed(futures, 0)))
        assert isinstance(error, concurrent.futures.TimeoutError)  # 3.10's is a class of its own
        assert throws(lambda: futures[0].result(0)) is not None
    del pool


def throws(function: Callable[[], Any]) -> BaseException | None:
    try:
        function()
    except Exception as error:
        return error.with_traceback(None)
    return None


def use_live_attributes(pool: Any) -> None:
    for future in [pool.submit(int) for _ in range(BATCH)]:
        with future._condition:
            assert future._waiters == []
            assert future._done_callbacks == []
        future.note = future._condition
        future.result(LIMIT)


def make_cycles(pool: Any) -> None:
    for _ in range(BATCH // 10):
        holder: list[Any] = []
        holder.append(pool.submit(holder.copy))
        holder[0].holder = holder
        holder[0].result(LIMIT)


def nest(pool: Any) -> None:
    def outer() -> int:
        return pool.submit(int, 1).result(LIMIT)

    for future in [pool.submit(outer) for _ in range(BATCH // 4)]:
        assert future.result(LIMIT) == 1


def use_contexts(pool: Any) -> None:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
    context = contextvars.Context()
    context.run(variable.set, object())
    futures = [context.run(pool.submit, variable.set, number) for number in range(BATCH)]
    for future in futures:
        future.result(LIMIT)


def await_all(pool: Any) -> None:
    async def main() -> None:
        await asyncio.gather(*(pool.submit(int) for _ in range(BATCH // 4)))
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, int) for _ in range(BATCH // 4)))

    asyncio.run(main())


def give_up_awaiting(pool: Any) -> None:
    async def give_up(wait: Callable[[], Any]) -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def awaited() -> None:
            await pool.submit(int)

        async def wrapped() -> None:
            await asyncio.wrap_future(pool.submit(int))

        async def run() -> None:
            await loop.run_in_executor(pool, int)

        for wait in (awaited, wrapped, run):
            for _ in range(BATCH // 20):
                await give_up(wait)
        await loop.run_in_executor(pool, int)

    asyncio.run(main())


def ask_to_stop(pool: Any) -> None:
    def work(began: threading.Event) -> None:
        began.set()
        task = treadle.current_task()
        assert task is not None
        assert task.wait_cancelled(LIMIT)
        treadle.check_cancelled()

    for _ in range(BATCH // 20):
        began = threading.Event()
        future = pool.submit(work, began)
        assert began.wait(LIMIT)
        future.request_cancel()
        assert not treadle.wait([future], LIMIT).not_done
        assert future.cancelled()


def make_pools(pool: Any) -> None:
    for _ in range(20):
        with type(pool)(2) as other:
            other.submit(int).result(LIMIT)
        type(pool)(2).submit(int).result(LIMIT)


def look_into_the_queue(pool: Any) -> None:
    gate = Gate()
    blockers = occupy(pool, gate, pool._max_workers)
    futures = [pool.submit(int) for _ in range(50)]
    for _ in range(pool._work_queue.qsize()):
        pool._work_queue.get_nowait().future.cancel()
    gate.open()
    for future in blockers:
        future.result(LIMIT)
    assert all(future.cancelled() for future in futures)


WORK = [
    submit_and_read,
    submit_many,
    use_keywords,
    fail,
    read_failures,
    cancel,
    forget,
    call_back,
    map_all,
    map_in_part,
    wait_for_all,
    run_out_of_time,
    use_live_attributes,
    make_cycles,
    nest,
    use_contexts,
    await_all,
    give_up_awaiting,
    ask_to_stop,
    make_pools,
    look_into_the_queue,
]


def blocks_in_use(pool: Any) -> int:
    if FREE_THREADED:  # what a thread has made and another has released waits for its maker
        count = min(len(pool._threads), pool._max_workers)  # a surplus worker is about to leave
        together = threading.Barrier(count, timeout=LIMIT)
        for future in [pool.submit(lambda: together.wait() + gc.collect()) for _ in range(count)]:
            future.result(LIMIT)
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.worker_counts(1, 2)
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_no_kind_of_work_leaves_objects_behind(executor: Any, work: Callable[[Any], None]) -> None:
    for _ in range(3):
        work(executor)
    executor.submit(gc.collect).result(LIMIT)
    growth = []
    for _ in range(5):
        before = blocks_in_use(executor), len(gc.get_objects())
        work(executor)
        executor.submit(int).result(LIMIT)
        growth.append((blocks_in_use(executor) - before[0], len(gc.get_objects()) - before[1]))
    limit = BATCH // 20 if FREE_THREADED else 40
    assert min(blocks for blocks, _ in growth) < limit, growth
    assert min(objects for _, objects in growth) < limit, growth


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.worker_counts(2)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "count", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["200k", "1M"]
)
def test_memory_is_flat_over_very_many_tasks(executor: Any, count: int) -> None:
    def run(tasks: int) -> None:
        for _ in range(tasks // BATCH):
            submit_and_read(executor)

    run(count // 4)
    gc.collect()
    before = resident_bytes(), sys.getallocatedblocks()
    run(count)
    gc.collect()
    assert resident_bytes() - before[0] < 4 * MEGABYTE
    assert sys.getallocatedblocks() - before[1] < (count // 100 if FREE_THREADED else 500)


@pytest.mark.parametrize("shared", [None, (), "text"], ids=repr)
def test_the_reference_counts_of_shared_objects_stay(executor: Any, shared: Any) -> None:
    if FREE_THREADED or sys.version_info >= (3, 12):
        shared = [shared]  # the others are immortal there

    def identity(value: Any) -> Any:
        return value

    def run() -> None:
        for future in [executor.submit(identity, shared) for _ in range(BATCH)]:
            assert future.result(LIMIT) is shared
        future = None
        list(executor.map(identity, [shared] * BATCH))
        executor.submit(int).result(LIMIT)

    run()
    gc.collect()
    before = sys.getrefcount(shared), sys.getrefcount(identity)
    run()
    gc.collect()
    assert abs(sys.getrefcount(shared) - before[0]) < 50
    assert abs(sys.getrefcount(identity) - before[1]) < 50
