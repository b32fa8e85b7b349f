"""Ten thousand small random schedules that end in a shutdown: no future is left pending.

Each schedule is a pool of one to three workers, some operations by one or two threads and by the
tasks themselves, and at least one shutdown of some kind, from wherever.  A failure names the seed;
TREADLE_TEST_SEED repeats it.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT
from treadle.errors import ShutdownTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

pytestmark = [pytest.mark.ours, pytest.mark.slow]

SCHEDULES = 10_000
PARTS = 10


class Schedule:
    """One pool, what is done to it, and every future that came of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pool = treadle.ThreadPoolExecutor(self.random.randint(1, 3))
        self.futures: list[Future[Any]] = []
        self.results: list[Any] = []

    def run(self) -> None:
        plans = [self.plan(self.random.randint(1, 6)) for _ in range(self.random.randint(1, 2))]
        others = [threading.Thread(target=self.follow, args=(plan,)) for plan in plans[1:]]
        for other in others:
            other.start()
        self.follow(plans[0])
        self.shut_down(*self.kind_of_shutdown())
        for other in others:
            other.join(LIMIT)
            assert not other.is_alive()
        # What was accepted ends by itself, whatever kind the shutdowns were.
        assert treadle.wait(self.futures, LIMIT).not_done == set()
        for result in self.results:
            with contextlib.suppress(CancelledError):
                assert list(result) == [0, 1, 2]
        self.pool.shutdown()
        for future in self.futures:
            assert future.done()
            if not future.cancelled():
                future.result(0)  # raises what a plan's checks have raised
        assert not any(thread.is_alive() for thread in self.pool._threads)
        assert (self.pool._thread_count(), self.pool._queue_size()) == (0, 0)

    def plan(self, length: int, depth: int = 0) -> list[Callable[[], object]]:
        """Operations, drawn now: threads draw nothing, so that a seed is a schedule."""
        return [self.operation(depth) for _ in range(length)]

    def operation(self, depth: int) -> Callable[[], object]:
        draw = self.random.random()
        if depth < 2 and draw < 0.25:
            inner = self.plan(self.random.randint(1, 2), depth + 1)
            return lambda: self.add(self.pool.submit(self.follow, inner))
        if depth < 2 and draw < 0.35:
            inner = self.plan(1, depth + 1)
            return lambda: self.add(self.pool.submit(int)).add_done_callback(
                lambda _: self.follow(inner)
            )
        if draw < 0.5:
            return lambda: self.add(self.pool.submit(int))
        if draw < 0.6:
            return lambda: self.futures.extend(self.pool.submit_many(int, range(3)))
        if draw < 0.7:
            return lambda: self.results.append(self.pool.map(int, range(3)))
        if draw < 0.8:
            index = self.random.random()
            return lambda: self.some_future(index).cancel()
        if draw < 0.85:
            return lambda: self.add(self.pool.submit(time.sleep, 0.0001))
        if draw < 0.9 and depth == 1:
            return lambda: self.add(self.pool.submit(int)).result()
        kind = self.kind_of_shutdown()
        return lambda: self.shut_down(*kind)

    def kind_of_shutdown(self) -> tuple[bool, bool, float | None]:
        wait = self.random.random() < 0.5
        timeout = self.random.choice([None, 0, 0.0001, LIMIT]) if wait else None
        return wait, self.random.random() < 0.4, timeout

    def shut_down(self, wait: bool, cancel_futures: bool, timeout: float | None) -> None:
        with contextlib.suppress(ShutdownTimeout):
            self.pool.shutdown(wait, cancel_futures=cancel_futures, timeout=timeout)
            assert not wait or self.pool._thread_count() == 0

    def add(self, future: Future[Any]) -> Future[Any]:
        self.futures.append(future)
        return future

    def some_future(self, index: float) -> Future[Any]:
        futures = self.futures.copy()
        return futures[int(index * len(futures))] if futures else treadle.Future()

    def follow(self, plan: list[Callable[[], object]]) -> None:
        for operation in plan:
            with contextlib.suppress(CancelledError):
                try:
                    operation()
                except RuntimeError as error:
                    expected = ("cannot schedule new futures", "cannot join current thread")
                    assert str(error).startswith(expected), error


@pytest.mark.parametrize("part", range(PARTS))
def test_every_future_ends_in_every_schedule(part: int) -> None:
    given = os.environ.get("TREADLE_TEST_SEED")
    first = random.randrange(2**32) if given is None else int(given)
    count = SCHEDULES // PARTS if given is None else 1
    for seed in range(first, first + count):
        try:
            Schedule(seed).run()
        except BaseException as error:
            message = f"TREADLE_TEST_SEED={seed}, part {part}"
            raise AssertionError(message) from error
