"""Bursts of `submit`: what a task costs when many are handed over at once."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from multiprocessing.pool import ThreadPool
from time import perf_counter
from typing import Any

import treadle
from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.rivals import FastThreadPool, Pool
from treadle.bench.workload import STDLIB, TREADLE, Lab, Round, Rounds, workload


def burst(pool: Pool, tasks: int) -> None:
    """Submit everything, then read every result, as `concurrent.futures` documents it."""
    futures = [pool.submit(nothing, number) for number in range(tasks)]
    for future in futures:
        future.result()


def burst_without_futures(pool: FastThreadPool, tasks: int) -> None:
    """The same for a pool whose results come in one deque."""
    for number in range(tasks):
        pool.submit(nothing, number)
    pool.take_results(tasks)


def burst_of_async_results(pool: ThreadPool, tasks: int) -> None:
    """The same for `multiprocessing.pool`."""
    results = [pool.apply_async(nothing, (number,)) for number in range(tasks)]
    for result in results:
        result.get()


@workload(
    "submit + result, {workers} workers", workers=(1, 2, 4, 8), tasks=10_000, quick_tasks=3000
)
def submit_result(lab: Lab) -> Rounds:
    """What does a task cost from `submit` to its result, in a burst of many?"""
    tasks = lab.tasks
    rounds = {
        name: lab.timed(partial(burst, pool, tasks))
        for name, pool in rivals.both_pools(lab).items()
    }
    fast = rivals.fast_thread_pool(lab)
    if fast is not None:
        rounds[rivals.FAST_THREAD_POOL] = lab.timed(lambda: burst_without_futures(fast, tasks))
    pool = rivals.thread_pool(lab)
    rounds[rivals.THREAD_POOL] = lab.timed(lambda: burst_of_async_results(pool, tasks))
    return rounds


@workload("submit + result with histograms", workers=2, tasks=10_000, quick_tasks=3000)
def submit_histograms(lab: Lab) -> Rounds:
    """What does it add to a task that its wait and its run time are measured?"""
    measured = treadle.ThreadPoolExecutor(lab.workers, histograms=True)
    lab.stack.callback(measured.shutdown)
    rivals.start_workers(measured.submit, lab.workers)
    plain = rivals.both_pools(lab)
    return {
        TREADLE: lab.timed(partial(burst, measured, lab.tasks)),
        STDLIB: lab.timed(partial(burst, plain[STDLIB], lab.tasks)),
        "without histograms": lab.timed(partial(burst, plain[TREADLE], lab.tasks)),
    }


def _read_all(futures: list[Future[object]]) -> None:
    for future in futures:
        future.result()


def _submitting(
    lab: Lab,
    submit: Callable[..., object],
    settle: Callable[[list[Any]], object],
    *,
    hold: bool,
) -> Round:
    """A round that times the calls of ``submit`` alone; ``settle`` reads the results later.

    With ``hold``, a task that waits for an event keeps the only worker from running anything.
    """

    def one_round() -> float:
        started, release = threading.Event(), threading.Event()

        def holder() -> None:
            started.set()
            release.wait()

        handles: list[object] = []
        if hold:
            handles.append(submit(holder))
            started.wait()
        numbers = range(lab.tasks)
        try:
            start = perf_counter()
            submitted = [submit(nothing, number) for number in numbers]
            elapsed = perf_counter() - start
        finally:
            release.set()
        settle([*handles, *submitted])
        return elapsed / lab.tasks

    return one_round


def _submitters(lab: Lab, *, hold: bool) -> Rounds:
    rounds = {
        name: _submitting(lab, pool.submit, _read_all, hold=hold)
        for name, pool in rivals.both_pools(lab).items()
    }
    fast = rivals.fast_thread_pool(lab)
    if fast is not None:
        rounds[rivals.FAST_THREAD_POOL] = _submitting(
            lab, fast.submit, lambda handles: fast.take_results(len(handles)), hold=hold
        )
    return rounds


@workload("submit only", workers=2, tasks=10_000, quick_tasks=3000)
def submit_only(lab: Lab) -> Rounds:
    """How long is the caller of `submit` kept, while the workers do their work?

    Only the calls of `submit` are timed, the results are read outside of the clock; the workers
    are free to run, and what they take from the caller counts.
    """
    return _submitters(lab, hold=False)


@workload("submit only, worker held", workers=1, fixed_workers=True, tasks=10_000, quick_tasks=3000)
def submit_held(lab: Lab) -> Rounds:
    """How long does `submit` itself take, when nothing else can run?

    One worker, held by a task that waits for an event until all is submitted.
    """
    return _submitters(lab, hold=True)


@workload("submit_many + result", workers=2, tasks=10_000, quick_tasks=3000)
def submit_many(lab: Lab) -> Rounds:
    """What does handing over a batch in one call save against a loop of `submit`?"""
    pool = rivals.treadle_pool(lab)
    stdlib = rivals.stdlib_pool(lab)
    tasks = lab.tasks

    def batch() -> None:
        for future in pool.submit_many(nothing, range(tasks)):
            future.result()

    return {
        TREADLE: lab.timed(batch),
        STDLIB: lab.timed(lambda: burst(stdlib, tasks)),
        "loop of submit": lab.timed(lambda: burst(pool, tasks)),
    }


def _produce(submit: Callable[..., object], tasks: int, producers: int = 4) -> None:
    """Producers that submit and never look back; returns when all tasks have run."""
    left = threading.Semaphore(0)

    def produce() -> None:
        for number in range(tasks // producers):
            submit(nothing, number)
        submit(left.release)

    threads = [threading.Thread(target=produce) for _ in range(producers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in threads:
        left.acquire()


@workload(
    "bounded queue, 4 producers", workers=2, fixed_workers=True, tasks=40_000, quick_tasks=12_000
)
def bounded_producers(lab: Lab) -> Rounds:
    """What does a task cost when at most 1000 of them may be pending, and 4 threads submit?

    Ours has `max_pending=1000`.  With the standard pool, a `BoundedSemaphore(1000)` is taken before
    each submit and given back by the future's callback, as is the usual advice.
    """
    bound = 1000
    pool = treadle.ThreadPoolExecutor(lab.workers, max_pending=bound)
    lab.stack.callback(pool.shutdown)
    rivals.start_workers(pool.submit, lab.workers)
    stdlib = rivals.stdlib_pool(lab)
    semaphore = threading.BoundedSemaphore(bound)

    def give_back(_: object) -> None:
        semaphore.release()

    def submit_with_semaphore(fn: Callable[..., object], /, *args: object) -> None:
        semaphore.acquire()
        stdlib.submit(fn, *args).add_done_callback(give_back)

    unbounded = rivals.treadle_pool(lab)
    return {
        TREADLE: lab.timed(lambda: _produce(pool.submit, lab.tasks)),
        STDLIB: lab.timed(lambda: _produce(submit_with_semaphore, lab.tasks)),
        "without a bound": lab.timed(lambda: _produce(unbounded.submit, lab.tasks)),
    }


@workload("submit + result, contextvars set", workers=2, tasks=10_000, quick_tasks=3000)
def submit_context(lab: Lab) -> Rounds:
    """What does a task cost when it must see the context variables of its submitter?

    Ours does it by itself; with the standard pool every task is `copy_context().run`.
    """
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    pool = rivals.treadle_pool(lab)
    stdlib = rivals.stdlib_pool(lab)
    tasks = lab.tasks

    def copying() -> None:
        copy_context = contextvars.copy_context
        futures = [stdlib.submit(copy_context().run, nothing, number) for number in range(tasks)]
        for future in futures:
            future.result()

    def with_context(job: Callable[[], object]) -> Callable[[], None]:
        def inside() -> None:
            token = variable.set("a request")
            try:
                job()
            finally:
                variable.reset(token)

        return inside

    return {
        TREADLE: lab.timed(with_context(lambda: burst(pool, tasks))),
        STDLIB: lab.timed(with_context(copying)),
    }
