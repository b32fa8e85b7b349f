"""Real calls: tasks that leave the GIL for a microsecond, for long, or never."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
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
        name: lab.timed(lambda pool=pool: burst(pool))
        for name, pool in rivals.both_pools(lab).items()
    }
    rounds[rivals.PLAIN_LOOP] = lab.timed(loop)
    return rounds


@workload("os.stat, {workers} workers", tasks=8000, quick_tasks=2000)
def os_stat(lab: Lab) -> Rounds:
    """What does a task cost whose system call takes under a microsecond?"""
    return _calls(lab, os.stat, __file__)


@workload("os.pread of 4 KiB, {workers} workers", tasks=8000, quick_tasks=2000)
def os_pread(lab: Lab) -> Rounds:
    """What does a task cost that reads a page which is in memory already?"""
    if not hasattr(os, "pread"):
        msg = "this system has no os.pread"
        raise Unavailable(msg)
    file = lab.stack.enter_context(tempfile.TemporaryFile())
    file.write(bytes(4096))
    file.flush()
    return _calls(lab, os.pread, file.fileno(), 4096, 0)


@workload("sha256 of 64 KiB, {workers} workers", tasks=1000, quick_tasks=300)
def sha256(lab: Lab) -> Rounds:
    """Do calls that leave the GIL for long run beside each other?

    With as many workers as processors the best possible is that many times a plain loop.
    """
    data = bytes(range(256)) * 256

    def digest() -> bytes:
        return hashlib.sha256(data).digest()

    return _calls(lab, digest)


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

    A new pool with a worker for each; timed from its creation to the last result.
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

    return {name: overhead(make) for name, make in rivals.EXECUTORS.items()}
