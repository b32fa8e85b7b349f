"""`await pool.submit()` and `treadle.to_thread`, beside what others offer for the same."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import Any, Final

import treadle
from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.floors import (
    HOP,
    NO_POOL,
    NO_THREADS,
    TRIO_HOP,
    PoolWithoutThreads,
    hops,
    not_called,
    trio_hops,
)
from treadle.bench.on_loops import Work, on_asyncio, on_trio, optional
from treadle.bench.placement import on_one_processor
from treadle.bench.rivals import ANYIO, ASGIREF
from treadle.bench.workload import TREADLE, Lab, Round, Rounds, workload

TO_THREAD: Final = "asyncio.to_thread"

Call = Callable[..., Awaitable[Any]]


def gathered(call: Call) -> Work:
    """Await all calls together."""

    async def work(tasks: int) -> None:
        await asyncio.gather(*[call(nothing, number) for number in range(tasks)])

    return work


def in_turn(call: Call) -> Work:
    """Await each call before the next."""

    async def work(tasks: int) -> None:
        for number in range(tasks):
            await call(nothing, number)

    return work


def others(lab: Lab) -> dict[str, Call]:
    """What other libraries have for this, where they are installed."""
    found: dict[str, Call] = {}
    if installed(ANYIO, lab):
        found[ANYIO] = import_module("anyio.to_thread").run_sync
    if installed(ASGIREF, lab):
        wrap: Any = import_module("asgiref.sync").sync_to_async

        def call(fn: Callable[..., object], number: int) -> Any:
            return wrap(fn, thread_sensitive=False)(number)

        found[ASGIREF] = call
    return found


def installed(name: str, lab: Lab) -> bool:
    """Whether the package of this rival is there; notes it when it is not."""
    there = find_spec(name.partition(".")[0]) is not None
    if not there:
        lab.missing.add(name)
    return there


def beside_to_thread(
    lab: Lab, call: Call, shape: Callable[[Call], Work], *, with_others: bool = True
) -> Rounds:
    """Ours, `asyncio.to_thread` on a standard pool, and other libraries."""
    standard = rivals.stdlib_pool(lab)
    rounds = {
        TREADLE: on_asyncio(lab, shape(call)),
        TO_THREAD: on_asyncio(lab, shape(asyncio.to_thread), default=standard),
    }
    if with_others:
        rounds |= {name: on_asyncio(lab, shape(other)) for name, other in others(lab).items()}
    return rounds


@workload("await pool.submit(), gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def await_gather(lab: Lab) -> Rounds:
    """What does an awaited task cost, many at once?"""
    rounds = beside_to_thread(lab, rivals.treadle_pool(lab).submit, gathered)
    return {**rounds, NO_POOL: on_asyncio(lab, gathered(not_called))}


@workload("await a list of submitted tasks", workers=2, tasks=3000, quick_tasks=1000)
def await_list(lab: Lab) -> Rounds:
    """What does an awaited task cost when the awaits follow the submits?"""
    pool = rivals.treadle_pool(lab)

    async def submit_then_await(tasks: int) -> None:
        for future in [pool.submit(nothing, number) for number in range(tasks)]:
            await future

    standard = rivals.stdlib_pool(lab)
    return {
        TREADLE: on_asyncio(lab, submit_then_await),
        TO_THREAD: on_asyncio(lab, in_turn(asyncio.to_thread), default=standard),
    }


@workload("await pool.submit(), one at a time", workers=2, tasks=1000, quick_tasks=300)
def await_in_turn(lab: Lab) -> Rounds:
    """What does an awaited task cost, each after the last?"""
    rounds = beside_to_thread(lab, rivals.treadle_pool(lab).submit, in_turn)
    return {**rounds, HOP: on_asyncio(lab, hops)}


@workload(
    "await pool.submit(), one at a time, on one processor", workers=1, fixed_workers=True,
    tasks=1000, quick_tasks=300,
)  # fmt: skip
def await_in_turn_on_one_processor(lab: Lab) -> Rounds:
    """The same with all threads on one processor: what do the libraries themselves need?"""
    on_one_processor(lab)
    return await_in_turn(lab)


@workload("await a future that is done", workers=2, tasks=3000, quick_tasks=1000)
def await_done(lab: Lab) -> Rounds:
    """What does it cost to await what has ended already?"""
    pool = rivals.treadle_pool(lab)

    def timed(make: Callable[[], list[Any]]) -> Round:
        async def main() -> float:
            futures = make()
            start = perf_counter()
            for future in futures:
                await future
            return (perf_counter() - start) / len(futures)

        return lambda: asyncio.run(main())

    def ours() -> list[Any]:
        futures = [pool.submit(nothing, number) for number in range(lab.tasks)]
        concurrent.futures.wait(futures)
        return futures

    def asyncio_futures() -> list[Any]:
        futures = [asyncio.get_running_loop().create_future() for _ in range(lab.tasks)]
        for number, future in enumerate(futures):
            future.set_result(number)
        return futures

    standard = rivals.stdlib_pool(lab)
    return {
        TREADLE: timed(ours),
        TO_THREAD: on_asyncio(lab, in_turn(asyncio.to_thread), default=standard),
        "asyncio futures": timed(asyncio_futures),
    }


@workload("treadle.to_thread, gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def to_thread_gather(lab: Lab) -> Rounds:
    """What does a function cost that is called in a thread, many at once?"""
    rounds = beside_to_thread(lab, treadle.to_thread, gathered)
    nobody = PoolWithoutThreads()

    async def to_nobody(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return await nobody.submit(fn, *args, **kwargs)

    return {**rounds, NO_THREADS: on_asyncio(lab, gathered(to_nobody))}


@workload("treadle.to_thread, one at a time", workers=2, tasks=1000, quick_tasks=300)
def to_thread_in_turn(lab: Lab) -> Rounds:
    """What does a function cost that is called in a thread, each after the last?"""
    return {**beside_to_thread(lab, treadle.to_thread, in_turn), HOP: on_asyncio(lab, hops)}


@workload(
    "treadle.to_thread, one at a time, on one processor", workers=1, fixed_workers=True,
    tasks=1000, quick_tasks=300,
)  # fmt: skip
def to_thread_in_turn_on_one_processor(lab: Lab) -> Rounds:
    """The same with all threads on one processor: what do the libraries themselves need?"""
    on_one_processor(lab)
    return to_thread_in_turn(lab)


def default_executors(lab: Lab, shape: Callable[[Call], Work]) -> Rounds:
    """`asyncio.to_thread`, unchanged, on either library's pool."""
    return {
        name: on_asyncio(lab, shape(asyncio.to_thread), default=pool)
        for name, pool in rivals.both_pools(lab).items()
    }


@workload("asyncio.to_thread, gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def asyncio_to_thread_gather(lab: Lab) -> Rounds:
    """What does `asyncio.to_thread` cost on our default executor, many at once?"""
    work = gathered(asyncio.to_thread)

    async def with_nobody(tasks: int) -> None:
        loop: Any = asyncio.get_running_loop()
        loop._default_executor = PoolWithoutThreads()  # the setter takes only thread pools
        await work(tasks)
        loop._default_executor = None

    rounds = default_executors(lab, gathered)
    return {**rounds, NO_THREADS: on_asyncio(lab, with_nobody)}


@workload("asyncio.to_thread, one at a time", workers=2, tasks=1000, quick_tasks=300)
def asyncio_to_thread_in_turn(lab: Lab) -> Rounds:
    """What does `asyncio.to_thread` cost on our default executor, each after the last?"""
    return {**default_executors(lab, in_turn), HOP: on_asyncio(lab, hops)}


def nursery(call: Call) -> Work:
    """On trio: as many tasks as calls, all at once."""
    trio = optional("trio")

    async def work(tasks: int) -> None:
        async with trio.open_nursery() as group:
            for number in range(tasks):
                group.start_soon(call, nothing, number)

    return work


@workload("on trio, {tasks} at once", workers=2, tasks=1000, quick_tasks=300)
def trio_gather(lab: Lab) -> Rounds:
    """What does an awaited task cost on trio, many at once?"""
    trio = optional("trio")
    pool = rivals.treadle_pool(lab)

    async def ours(*call: Any) -> Any:
        return await pool.submit(*call)

    return {
        TREADLE: on_trio(lab, nursery(ours)),
        "trio.to_thread": on_trio(lab, nursery(trio.to_thread.run_sync)),
    }


@workload("on trio, one at a time", workers=2, tasks=1000, quick_tasks=300)
def trio_in_turn(lab: Lab) -> Rounds:
    """What does an awaited task cost on trio, each after the last?"""
    trio = optional("trio")
    return {
        TREADLE: on_trio(lab, in_turn(rivals.treadle_pool(lab).submit)),
        "trio.to_thread": on_trio(lab, in_turn(trio.to_thread.run_sync)),
        TRIO_HOP: on_trio(lab, trio_hops),
    }
