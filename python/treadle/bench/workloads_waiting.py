"""Waiting: one task at a time, many at once, and with a busy neighbour."""

from __future__ import annotations

import concurrent.futures
import threading
from _thread import LockType, allocate_lock
from collections.abc import Callable, Generator, Iterable
from concurrent.futures._base import FINISHED, PENDING
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final

import treadle
from treadle.bench import rivals
from treadle.bench.callables import count_up, nothing
from treadle.bench.placement import on_one_processor
from treadle.bench.rivals import Pool
from treadle.bench.workload import STDLIB, TREADLE, Lab, Round, Rounds, workload


class PingPong:
    """Two raw locks and a thread: the least that handing a call over and back can cost."""

    def __init__(self) -> None:
        self._asked = allocate_lock()
        self._answered = allocate_lock()
        self._asked.acquire()
        self._answered.acquire()
        self._value: int | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        asked, answered = self._asked, self._answered
        while True:
            asked.acquire()
            value = self._value
            if value is None:
                return
            self._value = nothing(value)
            answered.release()

    def run(self, tasks: int) -> None:
        """Hand over ``tasks`` calls, each after the answer to the last."""
        asked, answered = self._asked, self._answered
        for number in range(tasks):
            self._value = number
            asked.release()
            answered.acquire()

    def close(self) -> None:
        """End the thread."""
        self._value = None
        self._asked.release()
        self._thread.join()


def one_at_a_time(pool: Pool, tasks: int) -> None:
    """Submit a task only when the last one's result is there."""
    for number in range(tasks):
        pool.submit(nothing, number).result()


@workload("round trip: submit, then result", workers=1, tasks=2000, quick_tasks=600)
def round_trip(lab: Lab) -> Rounds:
    """What does one task cost when its submitter waits for it before the next?

    Two hand-overs between threads are the floor: raw locks show what this machine needs for them.
    Where the system puts the two threads decides the figure, more than any library does: waking a
    processor that sleeps takes many times as long as a switch of threads on one that is awake.
    """
    return _round_trips(lab)


@workload("round trip on one processor", workers=1, fixed_workers=True, tasks=2000, quick_tasks=600)
def round_trip_on_one_processor(lab: Lab) -> Rounds:
    """The same with all threads on one processor: what do the libraries themselves need?"""
    on_one_processor(lab)
    return _round_trips(lab)


def _round_trips(lab: Lab) -> Rounds:
    tasks = lab.tasks
    rounds = {
        name: lab.timed(partial(one_at_a_time, pool, tasks))
        for name, pool in rivals.both_pools(lab).items()
    }
    ping_pong = PingPong()
    lab.stack.callback(ping_pong.close)
    rounds["two raw locks"] = lab.timed(lambda: ping_pong.run(tasks))
    return rounds


def _percentile(figures: list[float], percent: float) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@contextmanager
def _busy_neighbour() -> Generator[None, None, None]:
    started, stop = threading.Event(), threading.Event()

    def burn() -> None:
        started.set()
        while not stop.is_set():
            count_up()

    thread = threading.Thread(target=burn)
    thread.start()
    started.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@workload(
    "round trip beside a busy thread, p99", workers=1, tasks=100, quick_tasks=40, pairs=(3, 1),
    warm_up=False,
)  # fmt: skip
def round_trip_busy(lab: Lab) -> Rounds:
    """How long does the slowest round trip in a hundred take while another thread computes?

    With a GIL this is its switch interval, once or twice, whoever the pool is.  It takes at
    least half a second: for some milliseconds the busy thread may get no turn at all.
    """
    shortest = 0.2 if lab.quick else 0.5

    def slowest(pool: Pool) -> Round:
        def one_round() -> float:
            trips: list[float] = []
            with _busy_neighbour():
                end = perf_counter() + shortest
                while len(trips) < lab.tasks or perf_counter() < end:
                    start = perf_counter()
                    pool.submit(nothing, 1).result()
                    trips.append(perf_counter() - start)
            return _percentile(trips, 99)

        return one_round

    return {name: slowest(pool) for name, pool in rivals.both_pools(lab).items()}


Futures = list[concurrent.futures.Future[int]]


def _collecting(lab: Lab, pool: Pool, collect: Callable[[Futures], Iterable[Any]]) -> Round:
    """A round of the whole job: submit all, then collect all."""

    def job() -> None:
        futures = [pool.submit(nothing, number) for number in range(lab.tasks)]
        for future in collect(futures):
            future.result()

    return lab.timed(job)


def _all_done(futures: Futures) -> Iterable[concurrent.futures.Future[int]]:
    return concurrent.futures.wait(futures).done


class _Cheapest:
    """The least that the standard functions take for a future: three attributes."""

    __slots__ = ("_condition", "_state", "_waiters")

    def __init__(self, lock: Any) -> None:
        self._condition = lock
        self._state: str = PENDING
        self._waiters: list[Any] = []


class _LastWaiters(list[Any]):
    """The `_waiters` of the future that the standard functions come to last."""

    def __init__(self, all_wait: LockType) -> None:
        super().__init__()
        self._all_wait = all_wait

    def append(self, waiter: Any) -> None:
        super().append(waiter)
        self._all_wait.release()


CHEAPEST: Final = "cheapest futures"


def _function_alone(lab: Lab, collect: Callable[[Any], Iterable[Any]]) -> Round:
    """A round of a standard function over futures that cost next to nothing.

    They all end when the function waits for all of them, as in a pool that is busy till then.
    """
    lock = threading.RLock()

    def job() -> None:
        all_wait = allocate_lock()
        all_wait.acquire()
        futures = [_Cheapest(lock) for _ in range(lab.tasks)]
        max(futures, key=id)._waiters = _LastWaiters(all_wait)  # pyright: ignore[reportPrivateUsage]

        def end_all() -> None:
            all_wait.acquire()
            for future in futures:
                future._state = FINISHED  # pyright: ignore[reportPrivateUsage]
                for waiter in future._waiters:  # pyright: ignore[reportPrivateUsage]
                    waiter.add_result(future)

        thread = threading.Thread(target=end_all)
        thread.start()
        for _ in collect(futures):
            pass
        thread.join()

    return lab.timed(job)


def _all_done_native(futures: Futures) -> Iterable[concurrent.futures.Future[int]]:
    return treadle.wait(futures).done


@workload("standard as_completed over {tasks}", workers=2, tasks=5000, quick_tasks=2000)
def stdlib_as_completed(lab: Lab) -> Rounds:
    """What does a task cost when `concurrent.futures.as_completed` collects it, unchanged code?

    The whole job is timed, from the first `submit` to the last result.  The function itself is
    Python code: it over the cheapest futures there can be shows how much of the figure that is.
    """
    rounds = {
        name: _collecting(lab, pool, concurrent.futures.as_completed)
        for name, pool in rivals.both_pools(lab).items()
    }
    rounds[CHEAPEST] = _function_alone(lab, concurrent.futures.as_completed)
    return rounds


@workload("standard wait over {tasks}", workers=2, tasks=5000, quick_tasks=2000)
def stdlib_wait(lab: Lab) -> Rounds:
    """What does a task cost when `concurrent.futures.wait` waits for all, unchanged code?"""
    rounds = {
        name: _collecting(lab, pool, _all_done) for name, pool in rivals.both_pools(lab).items()
    }
    rounds[CHEAPEST] = _function_alone(lab, _all_done)
    return rounds


@workload("treadle.as_completed over {tasks}", workers=2, tasks=5000, quick_tasks=2000)
def treadle_as_completed(lab: Lab) -> Rounds:
    """What does a task cost when each library's own `as_completed` collects it?"""
    pools = rivals.both_pools(lab)
    return {
        TREADLE: _collecting(lab, pools[TREADLE], treadle.as_completed),
        STDLIB: _collecting(lab, pools[STDLIB], concurrent.futures.as_completed),
    }


@workload("treadle.wait over {tasks}", workers=2, tasks=5000, quick_tasks=2000)
def treadle_wait(lab: Lab) -> Rounds:
    """What does a task cost when each library's own `wait` waits for all?"""
    pools = rivals.both_pools(lab)
    return {
        TREADLE: _collecting(lab, pools[TREADLE], _all_done_native),
        STDLIB: _collecting(lab, pools[STDLIB], _all_done),
    }
