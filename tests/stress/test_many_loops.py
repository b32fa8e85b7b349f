"""Four event loops in four threads share a pool; their awaiters give up at random moments.

Everything is accounted for: each awaiter ends in one of the ways that it may, each call runs at
most once, and none runs that nobody asked for.
"""

from __future__ import annotations

import asyncio
import collections
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, eventually, in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = [pytest.mark.ours, pytest.mark.worker_counts(1, 8)]

LOOPS = 4
AT_ONCE = 250


class Work:
    """Calls with numbers, and which of them ran."""

    def __init__(self) -> None:
        self.ran: collections.deque[int] = collections.deque()

    def __call__(self, number: int) -> int:
        self.ran.append(number)
        treadle.check_cancelled()
        return number


def awaits(executor: Any, work: Work) -> list[Callable[[int], Awaitable[int]]]:
    async def awaited(number: int) -> int:
        return await executor.submit(work, number)

    async def run(number: int) -> int:
        return await asyncio.get_running_loop().run_in_executor(executor, work, number)

    async def wrapped(number: int) -> int:
        return await asyncio.wrap_future(executor.submit(work, number))

    return [awaited, run, wrapped]


async def ask(
    await_one: Callable[[int], Awaitable[int]], number: int, chance: random.Random
) -> str:
    """How one await ends."""
    moment = chance.random()
    task = asyncio.ensure_future(await_one(number))
    try:
        if moment < 0.5:
            result = await task
        elif moment < 0.7:
            await asyncio.sleep(0)
            task.cancel()
            result = await task
        elif moment < 0.8:
            task.cancel()
            result = await task
        else:
            result = await asyncio.wait_for(task, chance.choice([0, 0.0001, 0.001]))
    except asyncio.CancelledError:
        return "cancelled"
    except asyncio.TimeoutError:
        return "timed out"
    assert result == number
    return "result"


async def run_loop(executor: Any, work: Work, numbers: range, seed: int) -> dict[int, str]:
    chance = random.Random(seed)
    ways = awaits(executor, work)
    endings: dict[int, str] = {}
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        batch = range(first, min(first + AT_ONCE, numbers.stop))
        found = await asyncio.gather(*(ask(chance.choice(ways), n, chance) for n in batch))
        endings.update(zip(batch, found, strict=True))
    return endings


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "count", [2_000, pytest.param(50_000, marks=pytest.mark.slow)], ids=["2k", "50k"]
)
def test_everything_is_accounted_for(executor: Any, count: int) -> None:
    work = Work()
    begin = threading.Barrier(LOOPS)

    def run(number: int) -> dict[int, str]:
        begin.wait(LIMIT)
        numbers = range(number * count, (number + 1) * count)
        return asyncio.run(run_loop(executor, work, numbers, seed=number))

    threads = [in_thread(run, number) for number in range(LOOPS)]
    for thread in threads:
        thread.thread.join()
    endings: dict[int, str] = {}
    for thread in threads:
        endings.update(thread.get())
    executor.shutdown()
    assert endings.keys() == set(range(LOOPS * count))
    ran = set(work.ran)
    assert len(ran) == len(work.ran), "a call ran twice"
    assert ran <= endings.keys()
    assert {number for number, ending in endings.items() if ending == "result"} <= ran
    assert set(endings.values()) == {"result", "cancelled", "timed out"}
    assert eventually(lambda: executor._work_queue.qsize() == 0)
