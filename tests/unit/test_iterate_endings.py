"""Iterations that end early: the generator is closed in its worker, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import itertools
import textwrap
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP
from support.references import Thing, eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import treadle

pytestmark = pytest.mark.ours


class Endless:
    """A generator function without end, which knows in which thread it was closed."""

    def __init__(self) -> None:
        self.closed_in: list[threading.Thread] = []

    def __call__(self) -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            self.closed_in.append(threading.current_thread())

    def is_closed(self) -> bool:
        return eventually(lambda: self.closed_in)


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@pytest.fixture
def endless() -> Endless:
    return Endless()


def test_a_break_closes_the_generator_in_its_worker(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    for item in pool.iterate(endless):
        if item == 100:
            break
    gc.collect()
    assert endless.is_closed()
    assert endless.closed_in[0] in pool._threads


def test_close_ends_reader_and_generator(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    iteration = pool.iterate(endless)
    assert next(iteration) == 0
    iteration.close()
    iteration.close()
    assert next(iteration, "end") == "end"
    assert endless.is_closed()


def test_aclose_waits_until_the_generator_is_closed(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    async def main() -> None:
        iteration = pool.iterate(endless)
        async for _ in iteration:
            break
        await iteration.aclose()
        assert endless.closed_in
        await iteration.aclose()

    asyncio.run(main())


def test_aclose_raises_what_closing_the_generator_raised(pool: treadle.ThreadPoolExecutor) -> None:
    def bad() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            throw(LookupError("in finally"))

    async def main() -> None:
        iteration = pool.iterate(bad)
        assert await iteration.__anext__() == 0
        with pytest.raises(LookupError, match="in finally"):
            await iteration.aclose()

    asyncio.run(main())


def test_a_cancelled_reader_stops_the_generator(
    pool: treadle.ThreadPoolExecutor, gate: Gate
) -> None:
    ended: list[str] = []

    def waiting() -> Iterator[int]:
        try:
            yield 0
            gate.wait()
            yield 1
        finally:
            ended.append("finally")

    async def main() -> None:
        iteration = pool.iterate(waiting)
        assert await iteration.__anext__() == 0
        reading = asyncio.create_task(iteration.__anext__())  # type: ignore[arg-type]
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        gate.open()
        await iteration.aclose()
        with pytest.raises(StopAsyncIteration):
            await iteration.__anext__()

    asyncio.run(main())
    assert eventually(lambda: ended == ["finally"])


def test_an_iteration_that_never_started_never_does(
    pool: treadle.ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(pool, gate, workers)
    started: list[int] = []

    def generator() -> Iterator[int]:
        started.append(1)
        yield 1

    pool.iterate(generator).close()
    gate.open()
    pool.shutdown()
    assert started == []


def test_shutdown_does_not_wait_for_its_own_caller_to_read(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    iteration = pool.iterate(endless, buffersize=5)
    assert next(iteration) == 0
    pool.shutdown(wait=True)
    pool.shutdown(wait=True, cancel_futures=True)
    assert endless.closed_in
    with pytest.raises(concurrent.futures.CancelledError, match="the pool was shut down"):
        list(iteration)
    assert next(iteration, "end") == "end"


def test_shutdown_waits_for_what_another_thread_reads(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(1)
    began = threading.Event()

    def read() -> list[int]:
        got = []
        for item in pool.iterate(range, 5000, buffersize=3):
            began.set()
            got.append(item)
        return got

    reading = in_thread(read)
    assert began.wait(LIMIT)
    pool.shutdown(wait=True)
    assert reading.get() == list(range(5000))


def test_shutdown_with_cancellation_stops_every_generator(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    def read() -> None:
        for _ in pool.iterate(endless):
            pass

    reading = in_thread(read)
    assert eventually(lambda: pool._idle_workers() < pool._thread_count())
    pool.shutdown(wait=False, cancel_futures=True)
    with pytest.raises((concurrent.futures.CancelledError, RuntimeError)):
        reading.get()


def test_a_shutdown_during_the_call_stops_the_generator_too(
    executor_type: Any, endless: Endless, workers: int
) -> None:
    class Closing(executor_type):  # type: ignore[misc]
        """Is shut down as soon as it has taken a call."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            future = super().submit(fn, *args, **kwargs)
            self.shutdown(wait=False, cancel_futures=True)
            return future

    pool = Closing(workers)
    with pytest.raises(concurrent.futures.CancelledError):
        list(pool.iterate(endless))
    pool.shutdown()


def test_aclose_of_the_pool_does_not_wait_for_its_own_task_to_read(
    pool: treadle.ThreadPoolExecutor, endless: Endless
) -> None:
    async def main() -> None:
        async with pool:
            iteration = pool.iterate(endless)
            assert await iteration.__anext__() == 0
        assert endless.closed_in
        with pytest.raises(concurrent.futures.CancelledError):
            async for _ in iteration:
                pass

    asyncio.run(main())


def test_aclose_of_the_pool_waits_for_another_task_that_reads(
    pool: treadle.ThreadPoolExecutor,
) -> None:
    async def main() -> list[int]:
        async def read() -> list[int]:
            return [item async for item in pool.iterate(range, 3000, buffersize=2)]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await pool.aclose()
        return await reading

    assert asyncio.run(main()) == list(range(3000))


def test_items_that_were_handed_out_are_not_kept(pool: treadle.ThreadPoolExecutor) -> None:
    def things() -> Iterator[Thing]:
        for _ in range(20):
            yield Thing()

    iteration = pool.iterate(things, buffersize=1)
    for _ in range(20):
        reference = weakref.ref(next(iteration))
        assert eventually_dead(reference)


def test_a_dropped_iteration_keeps_nothing(pool: treadle.ThreadPoolExecutor) -> None:
    argument = Thing()
    reference = weakref.ref(argument)
    iteration = pool.iterate(itertools.repeat, argument)
    del argument
    next(iteration)
    del iteration
    assert eventually_dead(reference)


def test_ctrl_c_ends_a_waiting_for(run_child: Callable[..., str], workers: int) -> None:
    source = f"""
        release = threading.Event()

        def generator():
            try:
                yield 1
                release.wait()
                yield 2
            finally:
                print("closed")

        with ThreadPoolExecutor({workers}) as pool:
            try:
                for item in pool.iterate(generator):
                    print(item)
                    send_when_main_sleeps()
            except KeyboardInterrupt:
                print("interrupted")
            release.set()
    """
    output = run_child(INTERRUPT_WHEN_ASLEEP + textwrap.dedent(source))
    assert output == "1\ninterrupted\nclosed\n"


@pytest.mark.parametrize("kept", ["iteration = ", ""], ids=["kept", "dropped"])
def test_the_interpreter_exits_though_the_buffer_is_full(
    run_child: Callable[..., str], kept: str
) -> None:
    source = f"""
        import itertools

        def endless():
            try:
                yield from itertools.count()
            finally:
                print("closed")

        pool = ThreadPoolExecutor(1)
        {kept}pool.iterate(endless)
        {"print(next(iteration))" if kept else "print(0)"}
    """
    output = run_child(source)
    assert output in ("0\nclosed\n", "0\n" if not kept else "")


def test_a_thread_may_read_on_while_the_interpreter_exits(run_child: Callable[..., str]) -> None:
    source = """
        pool = ThreadPoolExecutor(1)

        def read():
            print(sum(pool.iterate(range, 20000, buffersize=3)))

        iteration_started = threading.Thread(target=read)
        iteration_started.start()
        while not pool._threads:
            time.sleep(0.001)
        time.sleep(0.02)
    """
    assert run_child(source) == f"{sum(range(20000))}\n"
