"""Priorities: beside what people build by hand, and beside our own pools without them."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import treadle
from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.workload import TREADLE, Lab, Rounds, workload

BY_HAND: Final = "queue.PriorityQueue, threads"
FIFO: Final = "ThreadPoolExecutor"


class PriorityThreads:
    """Threads that take (priority, number, call) from a `queue.PriorityQueue`: what one writes."""

    def __init__(self, workers: int) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def run(self, priorities: list[int], held: threading.Event | None = None) -> None:
        done = threading.Semaphore(0)
        if held is not None:
            for number in range(len(self._threads)):
                self._queue.put((-(10**9), number, held.wait))
        for number, priority in enumerate(priorities):
            self._queue.put((priority, number, partial(self._call, number, done)))
        if held is not None:
            held.set()
        for _ in priorities:
            done.acquire()

    @staticmethod
    def _call(number: int, done: threading.Semaphore) -> None:
        nothing(number)
        done.release()

    def _work(self) -> None:
        while True:
            call = self._queue.get()[2]
            if call is None:
                return
            call()

    def close(self) -> None:
        for number in range(len(self._threads)):
            self._queue.put((10**9, number, None))
        for thread in self._threads:
            thread.join()


def run_all(pool: Any, priorities: list[int], *, held: bool = False) -> None:
    """Submit a task for each priority, all before the first runs if they are held; wait for all."""
    release = threading.Event()
    if held:
        for _ in range(pool._max_workers):
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


def by_hand(lab: Lab, run: Callable[[PriorityThreads], None]) -> Callable[[], float]:
    threads = PriorityThreads(lab.workers)
    lab.stack.callback(threads.close)
    return lab.timed(partial(run, threads))


def priority_pool(lab: Lab) -> treadle.PriorityExecutor:
    return lab.stack.enter_context(treadle.PriorityExecutor(lab.workers))


@workload("priorities, mixed", workers=2, tasks=5000, quick_tasks=2000)
def priorities_mixed(lab: Lab) -> Rounds:
    """What does a task cost whose priority is one of a thousand?"""
    priorities = mixed(lab.tasks)
    return {
        TREADLE: lab.timed(partial(run_all, priority_pool(lab), priorities)),
        BY_HAND: by_hand(lab, lambda threads: threads.run(priorities)),
        FIFO: lab.timed(partial(run_plain, rivals.treadle_pool(lab), lab.tasks)),
    }


@workload("priorities, all equal", workers=2, tasks=5000, quick_tasks=2000)
def priorities_equal(lab: Lab) -> Rounds:
    """What does a task cost whose priority is that of all others?"""
    priorities = [3] * lab.tasks
    return {
        TREADLE: lab.timed(partial(run_all, priority_pool(lab), priorities)),
        BY_HAND: by_hand(lab, lambda threads: threads.run(priorities)),
        FIFO: lab.timed(partial(run_plain, rivals.treadle_pool(lab), lab.tasks)),
    }


@workload("priorities, {tasks} wait together", workers=2, tasks=20_000, quick_tasks=20_000)
def priorities_waiting(lab: Lab) -> Rounds:
    """What does a task cost when very many are sorted before the first runs?"""
    priorities = mixed(lab.tasks)
    return {
        TREADLE: lab.timed(partial(run_all, priority_pool(lab), priorities, held=True)),
        BY_HAND: by_hand(lab, lambda threads: threads.run(priorities, threading.Event())),
    }
