"""Real calls: tasks that leave the GIL for a microsecond, for long, or never."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from _thread import start_new_thread
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from treadle.bench import rivals
from treadle.bench.callables import count_up
from treadle.bench.rivals import Pool
from treadle.bench.workload import Lab, Round, Rounds, Unavailable, workload


def _calls(lab: Lab, function: Callable[..., object], *arguments: object) -> Rounds:
    """Rounds that run one call many times: in each pool, and in a plain loop."""
    tasks = lab.tasks

    def burst(pool: Pool) -> None:
        futures = [pool.submit(function, *arguments) for _ in range(tasks)]
        for future in futures:
            future.result()

    def loop() -> None:
        for _ in range(tasks):
            function(*arguments)

    rounds = {
        name: lab.timed(partial(burst, pool)) for name, pool in rivals.both_pools(lab).items()
    }
    rounds[rivals.PLAIN_LOOP] = lab.timed(loop)
    return rounds


def _a_page(lab: Lab) -> Path:
    """A file of 4 KiB that is gone when the workload ends."""
    path = Path(lab.stack.enter_context(tempfile.TemporaryDirectory()), "page")
    path.write_bytes(bytes(4096))
    return path


@workload("os.stat, {workers} workers", tasks=8000, quick_tasks=2000)
def os_stat(lab: Lab) -> Rounds:
    """What does a task cost whose system call takes under a microsecond?"""
    return _calls(lab, os.stat, str(_a_page(lab)))


@workload("os.pread of 4 KiB, {workers} workers", tasks=8000, quick_tasks=2000)
def os_pread(lab: Lab) -> Rounds:
    """What does a task cost that reads a page which is in memory already?

    Futures keep their results until somebody takes them, and fresh memory for thousands of pages
    costs more than the calls: a loop that keeps its results shows how much of the figure that is.
    """
    if not hasattr(os, "pread"):
        msg = "this system has no os.pread"
        raise Unavailable(msg)
    descriptor = os.open(_a_page(lab), os.O_RDONLY)
    lab.stack.callback(os.close, descriptor)
    rounds = _calls(lab, os.pread, descriptor, 4096, 0)

    def keep() -> None:
        _ = [os.pread(descriptor, 4096, 0) for _ in range(lab.tasks)]

    rounds["plain loop, results kept"] = lab.timed(keep)
    return rounds


@workload("sha256 of 64 KiB, {workers} workers", tasks=1000, quick_tasks=300)
def sha256(lab: Lab) -> Rounds:
    """Do calls that leave the GIL for long run beside each other?

    As many plain threads, each with its share of the calls, show what this machine can give: two
    processors that share a core, or with other work, give less than twice a plain loop.
    """
    data = bytes(range(256)) * 256

    def digest() -> bytes:
        return hashlib.sha256(data).digest()

    def share() -> None:
        for _ in range(lab.tasks // lab.workers):
            digest()

    def split() -> None:
        threads = [threading.Thread(target=share) for _ in range(lab.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    rounds = _calls(lab, digest)
    rounds["plain threads"] = lab.timed(split)
    return rounds


@workload("pure Python, about 60 us, {workers} workers", tasks=1500, quick_tasks=400)
def cpu_bound(lab: Lab) -> Rounds:
    """Does the pool get in the way of tasks that hold the GIL throughout?"""
    return _calls(lab, count_up)


PAUSE: Final = 0.1


@workload(
    "{workers} x sleep(0.1) at once: overhead", workers=(1000, 4000), fixed_workers=True, tasks=1,
    pairs=(3, 1), warm_up=False,
)  # fmt: skip
def sleepers(lab: Lab) -> Rounds:
    """How long beyond the sleep itself does it take to sleep on very many threads?

    A new pool with a worker for each; timed from its creation to the last result.  Bare threads,
    one for each, show what the system and the interpreter need for so many.
    """

    def overhead(make: Callable[[int], Pool]) -> Round:
        def one_round() -> float:
            start = perf_counter()
            with make(lab.workers) as pool:
                futures = [pool.submit(sleep, PAUSE) for _ in range(lab.workers)]
                for future in futures:
                    future.result()
                elapsed = perf_counter() - start
            return elapsed - PAUSE

        return one_round

    def bare_threads() -> float:
        ended = threading.Semaphore(0)

        def task() -> None:
            sleep(PAUSE)
            ended.release()

        start = perf_counter()
        for _ in range(lab.workers):
            start_new_thread(task, ())
        for _ in range(lab.workers):
            ended.acquire()
        return perf_counter() - start - PAUSE

    rounds = {name: overhead(make) for name, make in rivals.EXECUTORS.items()}
    rounds["bare threads"] = bare_threads
    return rounds
