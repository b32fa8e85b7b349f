"""Priorities: beside what people build by hand, and beside our own pools without them."""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import treadle
from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.workload import TREADLE, Lab, Rounds, workload

BY_HAND: Final = "queue.PriorityQueue, threads"
FIFO: Final = "ThreadPoolExecutor"


class PriorityThreads:
    """Threads that take calls with futures from a `queue.PriorityQueue`: what one writes."""

    def __init__(self, workers: int) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self._numbers = itertools.count()  # equal priorities in their order; calls have none
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, priority: int, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        future = Future[Any]()
        self._queue.put((priority, next(self._numbers), (future, fn, args)))
        return future

    def _work(self) -> None:
        while True:
            _, _, call = self._queue.get()
            if call is None:
                return
            future, fn, args = call
            if future.set_running_or_notify_cancel():
                future.set_result(fn(*args))

    def close(self) -> None:
        for _ in self._threads:
            self._queue.put((10**9, next(self._numbers), None))
        for thread in self._threads:
            thread.join()


def run_all(pool: Any, priorities: list[int], workers: int = 0) -> None:
    """Submit a task for each priority, and wait for all; the workers are held meanwhile, if any."""
    release = threading.Event()
    for _ in range(workers):
        pool.submit(-(10**9), release.wait)
    futures = [pool.submit(priority, nothing, priority) for priority in priorities]
    release.set()
    for future in futures:
        future.result()


def run_plain(pool: treadle.ThreadPoolExecutor, tasks: int) -> None:
    for future in [pool.submit(nothing, number) for number in range(tasks)]:
        future.result()


def mixed(tasks: int) -> list[int]:
    numbers = random.Random(tasks)  # the same for all, in every round
    return [numbers.randrange(1000) for _ in range(tasks)]


def both(lab: Lab, priorities: list[int], held: int = 0) -> Rounds:
    """Our executor, and what one writes by hand."""
    threads = PriorityThreads(lab.workers)
    lab.stack.callback(threads.close)
    pool = lab.stack.enter_context(treadle.PriorityExecutor(lab.workers))
    return {
        TREADLE: lab.timed(partial(run_all, pool, priorities, held)),
        BY_HAND: lab.timed(partial(run_all, threads, priorities, held)),
    }


def beside_fifo(lab: Lab, rounds: Rounds) -> Rounds:
    """Our own pool without priorities, too."""
    pool = rivals.treadle_pool(lab)
    return {**rounds, FIFO: lab.timed(partial(run_plain, pool, lab.tasks))}


@workload("priorities, mixed", workers=2, tasks=5000, quick_tasks=2000)
def priorities_mixed(lab: Lab) -> Rounds:
    """What does a task cost whose priority is one of a thousand?"""
    return beside_fifo(lab, both(lab, mixed(lab.tasks)))


@workload("priorities, all equal", workers=2, tasks=5000, quick_tasks=2000)
def priorities_equal(lab: Lab) -> Rounds:
    """What does a task cost whose priority is that of all others?"""
    return beside_fifo(lab, both(lab, [3] * lab.tasks))


@workload("priorities, {tasks} wait together", workers=2, tasks=20_000, quick_tasks=20_000)
def priorities_waiting(lab: Lab) -> Rounds:
    """What does a task cost when very many are sorted before the first runs?"""
    return both(lab, mixed(lab.tasks), lab.workers)
