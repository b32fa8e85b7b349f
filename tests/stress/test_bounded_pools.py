"""Bounded pools under producers of every kind at once: nothing is lost, every place comes back."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, in_thread
from treadle.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.ours, pytest.mark.slow]

ROUNDS = 400


@pytest.mark.parametrize("bound", [1, 2, 16])
@pytest.mark.parametrize("policy", ["block", "raise", "run", "drop_oldest"])
def test_whatever_producers_do_every_place_comes_back(
    make_executor: Callable[..., Any], policy: str, bound: int
) -> None:
    pool: treadle.ThreadPoolExecutor = make_executor(3, max_pending=bound, when_full=policy)
    ran = threading.Semaphore(0)
    taken: list[treadle.Future[Any]] = []

    def task() -> None:
        ran.release()

    def submit(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(ROUNDS):
            try:
                future = choose.choice([pool.submit, pool.try_submit])(task)
            except QueueFull:
                assert policy in {"raise", "drop_oldest"}
                continue
            if future is None:
                continue
            taken.append(future)
            if choose.random() < 0.3:
                future.cancel()

    def submit_many() -> None:
        for count in range(1, ROUNDS // 10):
            try:
                taken.extend(pool.submit_many(lambda _: task(), range(count % 20)))
            except QueueFull:
                assert policy in {"raise", "drop_oldest"}

    async def submit_async() -> None:
        async def one(number: int) -> None:
            waiting = asyncio.ensure_future(pool.submit_async(task))
            if number % 3 == 0:
                await asyncio.sleep(0)
                waiting.cancel()
            try:
                taken.append(await waiting)
            except asyncio.CancelledError:
                assert number % 3 == 0

        await asyncio.gather(*[one(number) for number in range(ROUNDS)])

    threads = [in_thread(submit, seed) for seed in range(4)]
    threads += [in_thread(submit_many), in_thread(asyncio.run, submit_async())]
    for thread in threads:
        thread.get()
    done = treadle.wait(taken, LIMIT)
    assert not done.not_done
    cancelled = sum(future.cancelled() for future in taken)
    assert all(future.exception() is None for future in taken if not future.cancelled())
    for _ in range(len(taken) - cancelled):
        assert ran.acquire(timeout=LIMIT)
    assert not ran.acquire(blocking=False)
    # Every place is free again, and there are no more than that.
    places = [pool._ask_for_place() for _ in range(bound)]
    assert [ready for _, ready in places] == [None] * bound
    assert pool.try_submit(task) is None
    for place, _ in places:
        assert place is not None
        place.leave()
