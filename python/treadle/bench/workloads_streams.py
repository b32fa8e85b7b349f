"""`stream` and `iterate`, beside one hop to a thread and back for each item."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.on_loops import on_asyncio
from treadle.bench.workload import TREADLE, Lab, Rounds, workload

HOP: Final = "a hop for each item"
END: Final = object()


def count(limit: int) -> Iterator[int]:
    """A generator with next to nothing to do."""
    yield from range(limit)


@workload("stream, read with for", workers=2, tasks=5000, quick_tasks=2000)
def stream_sync(lab: Lab) -> Rounds:
    """What does an item of a stream cost a thread that reads it?"""
    pool, standard = rivals.treadle_pool(lab), rivals.stdlib_pool(lab)

    def read() -> None:
        for _ in pool.stream(nothing, range(lab.tasks)):
            pass

    def hop() -> None:
        for number in range(lab.tasks):
            standard.submit(nothing, number).result()

    return {TREADLE: lab.timed(read), HOP: lab.timed(hop)}


@workload("stream, read with async for", workers=2, tasks=5000, quick_tasks=2000)
def stream_async(lab: Lab) -> Rounds:
    """What does an item of a stream cost a coroutine that reads it?"""
    pool, standard = rivals.treadle_pool(lab), rivals.stdlib_pool(lab)

    async def read(tasks: int) -> None:
        async for _ in pool.stream(nothing, range(tasks)):
            pass

    async def hop(tasks: int) -> None:
        loop = asyncio.get_running_loop()
        for number in range(tasks):
            await loop.run_in_executor(standard, nothing, number)

    return {TREADLE: on_asyncio(lab, read), HOP: on_asyncio(lab, hop)}


@workload("iterate, read with for", workers=2, tasks=20000, quick_tasks=5000)
def iterate_sync(lab: Lab) -> Rounds:
    """What does an item of a generator in a worker cost a thread that reads it?"""
    pool, standard = rivals.treadle_pool(lab), rivals.stdlib_pool(lab)

    def read() -> None:
        for _ in pool.iterate(count, lab.tasks):
            pass

    def hop() -> None:
        items = count(lab.tasks)
        while standard.submit(next, items, END).result() is not END:
            pass

    return {TREADLE: lab.timed(read), HOP: lab.timed(hop)}


@workload("iterate, read with async for", workers=2, tasks=20000, quick_tasks=5000)
def iterate_async(lab: Lab) -> Rounds:
    """What does an item of a generator in a worker cost a coroutine that reads it?"""
    pool, standard = rivals.treadle_pool(lab), rivals.stdlib_pool(lab)

    async def read(tasks: int) -> None:
        async for _ in pool.iterate(count, tasks):
            pass

    async def hop(tasks: int) -> None:
        loop = asyncio.get_running_loop()
        step = partial(next, count(tasks), END)
        while await loop.run_in_executor(standard, step) is not END:
            pass

    return {TREADLE: on_asyncio(lab, read), HOP: on_asyncio(lab, hop)}
