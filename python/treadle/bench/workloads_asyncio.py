"""`loop.run_in_executor`, unchanged code: a burst, and one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from time import perf_counter, sleep
from typing import Final

from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.floors import CHAINING, HOP, ChainedPool, hops
from treadle.bench.on_loops import Work, on_asyncio
from treadle.bench.rivals import Pool
from treadle.bench.workload import Lab, Round, Rounds, workload

PAUSE: Final = 0.1


def gathered(pool: Executor) -> Work:
    """Start all calls, then await them together."""

    async def work(tasks: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[loop.run_in_executor(pool, nothing, i) for i in range(tasks)])

    return work


def in_turn(pool: Executor) -> Work:
    """Await each call before the next."""

    async def work(tasks: int) -> None:
        loop = asyncio.get_running_loop()
        for number in range(tasks):
            await loop.run_in_executor(pool, nothing, number)

    return work


@workload("run_in_executor, gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def asyncio_gather(lab: Lab) -> Rounds:
    """What does a call cost that asyncio hands to the pool, many at once?"""
    pools: dict[str, Executor] = {**rivals.both_pools(lab), CHAINING: ChainedPool()}
    return {name: on_asyncio(lab, gathered(pool)) for name, pool in pools.items()}


@workload("run_in_executor, one at a time", workers=2, tasks=1000, quick_tasks=300)
def asyncio_in_turn(lab: Lab) -> Rounds:
    """What does a call cost that asyncio hands to the pool, each after the last?"""
    pools = rivals.both_pools(lab)
    rounds = {name: on_asyncio(lab, in_turn(pool)) for name, pool in pools.items()}
    return {**rounds, HOP: on_asyncio(lab, hops)}


@workload("run_in_executor on uvloop, gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def uvloop_gather(lab: Lab) -> Rounds:
    """What does a call cost that uvloop hands to the pool, many at once?"""
    pools = rivals.both_pools(lab)
    return {name: on_asyncio(lab, gathered(pool), uvloop=True) for name, pool in pools.items()}


@workload("run_in_executor on uvloop, one at a time", workers=2, tasks=1000, quick_tasks=300)
def uvloop_in_turn(lab: Lab) -> Rounds:
    """What does a call cost that uvloop hands to the pool, each after the last?"""
    pools = rivals.both_pools(lab)
    rounds = {name: on_asyncio(lab, in_turn(pool), uvloop=True) for name, pool in pools.items()}
    return {**rounds, HOP: on_asyncio(lab, hops, uvloop=True)}


@workload(
    "{workers} x sleep(0.1) awaited at once: overhead", workers=1000, fixed_workers=True, tasks=1,
    pairs=(3, 1), warm_up=False,
)  # fmt: skip
def asyncio_sleepers(lab: Lab) -> Rounds:
    """How long beyond the sleep itself does it take to await very many sleeps on threads?

    A new pool with a worker for each; timed from its creation to the last result.
    """

    def overhead(make: Callable[[int], Pool]) -> Round:
        async def main() -> float:
            loop = asyncio.get_running_loop()
            start = perf_counter()
            with make(lab.workers) as pool:
                await asyncio.gather(
                    *[loop.run_in_executor(pool, sleep, PAUSE) for _ in range(lab.workers)]
                )
                elapsed = perf_counter() - start
            return elapsed - PAUSE

        return lambda: asyncio.run(main())

    return {name: overhead(make) for name, make in rivals.EXECUTORS.items()}
