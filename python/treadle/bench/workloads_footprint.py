"""What a pool costs by being there: to make, to import, to keep idle, to keep full."""

from __future__ import annotations

import subprocess
import sys
from _thread import LockType, allocate_lock
from collections.abc import Callable
from threading import Thread
from time import process_time, sleep

from treadle.bench import pending_memory, rivals
from treadle.bench.callables import nothing
from treadle.bench.rivals import Pool
from treadle.bench.workload import STDLIB, TREADLE, Lab, Round, Rounds, Unavailable, workload


@workload("create, one task, shut down", workers=2, tasks=200, quick_tasks=60)
def create(lab: Lab) -> Rounds:
    """What does a pool cost that lives for one task?

    A thread is the floor, with the same three steps: it runs a task, tells its starter, and ends
    when it is told to.
    """

    def lives(make: Callable[[int], Pool]) -> Round:
        def job() -> None:
            for number in range(lab.tasks):
                with make(lab.workers) as pool:
                    pool.submit(nothing, number).result()

        return lab.timed(job)

    def bare_thread() -> None:
        for number in range(lab.tasks):
            ended, end = allocate_lock(), allocate_lock()
            ended.acquire()
            end.acquire()

            def work(number: int = number, ended: LockType = ended, end: LockType = end) -> None:
                nothing(number)
                ended.release()
                end.acquire()

            thread = Thread(target=work)
            thread.start()
            ended.acquire()
            end.release()
            thread.join()

    rounds = {name: lives(make) for name, make in rivals.EXECUTORS.items()}
    rounds["bare thread"] = lab.timed(bare_thread)
    return rounds


@workload(
    "{workers} idle workers: processor time in 2 s", workers=8, fixed_workers=True, tasks=1,
    pairs=(1, 1), warm_up=False,
)  # fmt: skip
def idle(lab: Lab) -> Rounds:
    """How much processor time do workers use that have nothing to do?

    A quick run sleeps for a quarter of the time and multiplies by four.
    """
    share = 0.25 if lab.quick else 1.0

    def doing_nothing(make: Callable[[int], Pool]) -> Round:
        def one_round() -> float:
            with make(lab.workers) as pool:
                rivals.start_workers(pool.submit, lab.workers)
                sleep(0.05)  # let the last of them park
                start = process_time()
                sleep(2 * share)
                return (process_time() - start) / share

        return one_round

    return {name: doing_nothing(make) for name, make in rivals.EXECUTORS.items()}


def _child(*arguments: str) -> float:
    """Run this interpreter once more; its last word is the figure."""
    finished = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    if finished.returncode != 0:
        said = finished.stderr.strip().rpartition("\n")[2]
        msg = f"a child process failed: {said or finished.returncode}"
        raise RuntimeError(msg)
    return float(finished.stdout.split()[-1])


@workload(
    "memory of a pending task", workers=1, fixed_workers=True, tasks=200_000, quick_tasks=50_000,
    unit="B", pairs=(1, 1), warm_up=False,
)  # fmt: skip
def pending(lab: Lab) -> Rounds:
    """How much memory does a task hold while it waits, by the growth of the process?

    Its argument (an int) and its place in a list of futures are part of it.
    """
    if pending_memory.resident_bytes() is None:
        msg = "this system does not tell the resident size of a process"
        raise Unavailable(msg)

    def growing(library: str) -> Round:
        return lambda: _child("-m", pending_memory.__name__, library, str(lab.tasks))

    return {name: growing(name) for name in rivals.EXECUTORS}


@workload("import", workers=1, fixed_workers=True, tasks=1, pairs=(15, 3))
def import_time(lab: Lab) -> Rounds:
    """How long does the import take, in a fresh interpreter?"""

    def importing(module: str) -> Round:
        code = (
            "from time import perf_counter as now; start = now(); "
            f"import {module}; print(now() - start)"
        )
        return lambda: _child("-c", code)

    return {TREADLE: importing("treadle"), STDLIB: importing("concurrent.futures.thread")}
