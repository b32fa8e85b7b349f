"""Never run: mypy and pyright read here what the public interface promises to callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator

from typing_extensions import assert_type

import treadle
import treadle.errors


def area(width: int, height: float = 1.0) -> float:
    return width * height


def numbers() -> Iterator[int]:
    yield from range(3)


async def one_number() -> int:
    return 1


def executors() -> None:
    pool = treadle.ThreadPoolExecutor()
    treadle.ThreadPoolExecutor(4, "prefix", print, ("ready",))
    treadle.ThreadPoolExecutor(max_workers=4, thread_name_prefix="", initializer=None, initargs=())
    standard: concurrent.futures.ThreadPoolExecutor = pool
    executor: concurrent.futures.Executor = pool
    with standard, executor, treadle.ThreadPoolExecutor(1) as entered:
        assert_type(entered, treadle.ThreadPoolExecutor)
    treadle.ThreadPoolExecutor(4, min_workers=1, keep_alive=2.5)
    treadle.ThreadPoolExecutor(4, min_workers=None, keep_alive=None)
    treadle.ThreadPoolExecutor(4, keep_alive="2")  # type: ignore[arg-type]  # pyright: ignore
    assert_type(pool.resize(8), None)
    pool.resize(max_workers=8)
    pool.resize(1.5)  # type: ignore[arg-type]  # pyright: ignore
    treadle.ThreadPoolExecutor(2, max_pending=100, when_full="drop_oldest")
    treadle.ThreadPoolExecutor(2, when_full="wait")  # type: ignore[arg-type]  # pyright: ignore
    pool.shutdown(True)
    pool.shutdown(wait=False, cancel_futures=True)
    try:
        pool.shutdown(timeout=0.5)
    except treadle.errors.ShutdownTimeout as late:
        assert_type(late.tasks, tuple[treadle.RunningTask, ...])
        for task in late.tasks:
            assert_type(task.thread, threading.Thread)
            assert_type(task.seconds, float)
            assert_type(task.stack(), list[traceback.FrameSummary])
    pool.shutdown(timeout="1")  # type: ignore[arg-type]  # pyright: ignore
    treadle.ThreadPoolExecutor(daemon=1)  # type: ignore[arg-type]  # pyright: ignore


def submitting(pool: treadle.ThreadPoolExecutor) -> None:
    future = pool.submit(area, 2, height=3.0)
    assert_type(future, treadle.Future[float])
    base: concurrent.futures.Future[float] = future
    assert_type(base.result(timeout=1), float)
    assert_type(future.result(), float)
    assert_type(future.exception(0.5), BaseException | None)
    pool.submit(area)  # type: ignore[call-arg]  # pyright: ignore
    pool.submit(area, "2")  # type: ignore[arg-type]  # pyright: ignore
    assert_type(pool.try_submit(area, 2), treadle.Future[float] | None)
    pool.try_submit(area)  # type: ignore[call-arg]  # pyright: ignore
    assert_type(pool.submit_many(area, numbers(), [1.0, 2.0]), list[treadle.Future[float]])


async def waiting_for_room(pool: treadle.ThreadPoolExecutor) -> None:
    future = await pool.submit_async(area, 2, height=3.0)
    assert_type(future, treadle.Future[float])
    assert_type(await future, float)
    await pool.submit_async(area, "2")  # type: ignore[arg-type]  # pyright: ignore


def mapping(pool: treadle.ThreadPoolExecutor) -> None:
    assert_type(pool.map(area, [1, 2]), Iterator[float])
    assert_type(pool.map(area, [1], [2.0], timeout=1, chunksize=5, buffersize=9), Iterator[float])
    assert_type(pool.map_unordered(area, numbers(), timeout=None, buffersize=4), Iterator[float])


def lines(path: str, *, strip: bool = True) -> Iterator[str]:
    yield path.strip() if strip else path


async def async_numbers() -> AsyncIterator[int]:
    yield 1


def streaming(pool: treadle.ThreadPoolExecutor) -> None:
    for result in pool.stream(area, numbers()):
        assert_type(result, float)
    stream = pool.stream(area, async_numbers(), concurrency=5, ordered=False)
    assert_type(next(stream), float)
    both: tuple[Iterator[float], AsyncIterator[float]] = (stream, stream)
    print(both)
    stream.close()
    pool.stream(area, ["1"])  # type: ignore[arg-type]  # pyright: ignore
    pool.stream(area, [1], 5)  # type: ignore[call-arg]  # pyright: ignore
    iteration = pool.iterate(lines, "path", strip=False, buffersize=2)
    for line in iteration:
        assert_type(line, str)
    either: tuple[Iterator[str], AsyncIterator[str]] = (iteration, iteration)
    print(either)
    iteration.close()


async def streaming_async(pool: treadle.ThreadPoolExecutor) -> None:
    async with pool as entered:
        assert_type(entered, treadle.ThreadPoolExecutor)
        stream = pool.stream(area, [1, 2])
        async for result in stream:
            assert_type(result, float)
        await stream.aclose()
        iteration = pool.iterate(lines, "path")
        assert_type([line async for line in iteration], list[str])
        await iteration.aclose()
    await pool.aclose()
    await pool.aclose(cancel_futures=True, timeout=5)


async def async_executor() -> None:
    async with treadle.AsyncThreadExecutor[float](4) as executor:
        assert_type(executor, treadle.AsyncThreadExecutor[float])
        assert_type(await executor.run(area, 2, timeout=0.5), float)
        assert_type(await executor.map(area, [1, 2]), list[float])
        async for result in executor.stream(area, async_numbers(), concurrency=2):
            assert_type(result, float)
        await executor.run(area, timeout="1")  # type: ignore[arg-type]  # pyright: ignore
        statistics = executor.statistics()
        assert_type(statistics, treadle.ExecutorStatistics)
        assert_type(statistics.abandoned, int)
        assert_type(statistics.longest_running, float | None)
        assert_type(statistics.queue_wait, treadle.Histogram | None)
        executor.shutdown(cancel_futures=True)
        await executor.aclose()


def waiting(
    ours: Iterable[treadle.Future[int]],
    mixed: Iterable[treadle.Future[int] | concurrent.futures.Future[int]],
) -> None:
    done, not_done = treadle.wait(ours, timeout=1, return_when=treadle.FIRST_COMPLETED)
    assert_type(done, set[treadle.Future[int]])
    assert_type(not_done, set[treadle.Future[int]])
    for future in treadle.as_completed(ours, timeout=1):
        assert_type(future, treadle.Future[int])
    for either in treadle.as_completed(mixed):
        assert_type(either.result(), int)
    for standard in concurrent.futures.as_completed(ours):
        assert_type(standard.result(), int)


def callbacks(future: treadle.Future[int]) -> None:
    def completed(finished: concurrent.futures.Future[int]) -> None:
        print(finished.result())

    future.add_done_callback(completed)
    future.set_result(1)
    future.set_exception(ValueError())
    assert_type(future.cancel(), bool)
    assert_type(future.set_running_or_notify_cancel(), bool)


async def awaiting(pool: treadle.ThreadPoolExecutor) -> None:
    assert_type(await pool.submit(area, 2), float)
    loop = asyncio.get_running_loop()
    assert_type(await loop.run_in_executor(pool, area, 2), float)
    loop.set_default_executor(pool)


@treadle.run_in_thread
def decorated(width: int, *, height: float = 1.0) -> float:
    return width * height


@treadle.run_in_thread(executor=concurrent.futures.ThreadPoolExecutor(1))
def elsewhere(text: str) -> bytes:
    return text.encode()


class Reader:
    @treadle.run_in_thread
    def read(self, size: int) -> bytes:
        return bytes(size)


async def in_threads() -> None:
    assert_type(await treadle.to_thread(area, 2, height=3.0), float)
    await treadle.to_thread(area, "2")  # type: ignore[arg-type]  # pyright: ignore
    one, two = await asyncio.gather(treadle.to_thread(area, 2), treadle.to_thread(str, 3))
    assert_type(one, float)
    assert_type(two, str)
    assert_type(await asyncio.create_task(treadle.to_thread(area, 2)), float)
    assert_type(await decorated(2, height=3.0), float)
    await decorated("2")  # type: ignore[arg-type]  # pyright: ignore
    assert_type(await asyncio.create_task(decorated(2)), float)
    assert_type(await elsewhere("x"), bytes)
    assert_type(await Reader().read(3), bytes)


def running() -> None:
    assert_type(treadle.run(one_number()), int)
    assert_type(
        treadle.run(one_number(), debug=True, loop_factory=asyncio.new_event_loop, max_workers=3),
        int,
    )
    treadle.run(one_number)  # type: ignore[arg-type]  # pyright: ignore


def installing() -> None:
    with treadle.install() as installation:
        installation.uninstall()
    treadle.uninstall()
