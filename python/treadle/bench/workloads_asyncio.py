"""`loop.run_in_executor`, unchanged code: a burst, and one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.rivals import Pool
from treadle.bench.workload import Lab, Round, Rounds, workload


async def gathered(pool: Pool, tasks: int) -> None:
    """Start all calls, then await them together."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*[loop.run_in_executor(pool, nothing, i) for i in range(tasks)])


async def in_turn(pool: Pool, tasks: int) -> None:
    """Await each call before the next."""
    loop = asyncio.get_running_loop()
    for number in range(tasks):
        await loop.run_in_executor(pool, nothing, number)


def _on_a_loop(
    lab: Lab, pool: Pool, work: Callable[[Pool, int], Coroutine[Any, Any, None]]
) -> Round:
    """A round on a fresh loop, whose making and closing are outside of the clock."""

    async def timed() -> float:
        start = perf_counter()
        await work(pool, lab.tasks)
        return (perf_counter() - start) / lab.tasks

    return lambda: asyncio.run(timed())


@workload("run_in_executor, gather of {tasks}", workers=2, tasks=3000, quick_tasks=1000)
def asyncio_gather(lab: Lab) -> Rounds:
    """What does a call cost that asyncio hands to the pool, many at once?"""
    return {name: _on_a_loop(lab, pool, gathered) for name, pool in rivals.both_pools(lab).items()}


@workload("run_in_executor, one at a time", workers=2, tasks=1000, quick_tasks=300)
def asyncio_in_turn(lab: Lab) -> Rounds:
    """What does a call cost that asyncio hands to the pool, each after the last?"""
    return {name: _on_a_loop(lab, pool, in_turn) for name, pool in rivals.both_pools(lab).items()}
