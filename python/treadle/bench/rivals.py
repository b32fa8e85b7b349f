"""The pools that are compared, each used as its own documentation advises.

`concurrent.futures` is always there and so is `multiprocessing.pool.ThreadPool`; `fastthreadpool`
is measured when it is installed.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module, metadata
from multiprocessing.pool import ThreadPool
from typing import Any, Final

import treadle
from treadle.bench.workload import STDLIB, TREADLE, Lab, RivalFailed

Pool = concurrent.futures.ThreadPoolExecutor

EXECUTORS: Final[dict[str, Callable[[int], Pool]]] = {
    TREADLE: treadle.ThreadPoolExecutor,
    STDLIB: concurrent.futures.ThreadPoolExecutor,
}
"""The two with the same interface, by name."""

FAST_THREAD_POOL: Final = "fastthreadpool"
ANYIO: Final = "anyio.to_thread"
ASGIREF: Final = "asgiref"
THREAD_POOL: Final = "ThreadPool"
PLAIN_LOOP: Final = "plain loop"

HOW_TO_INSTALL: Final = {
    # Its source package builds with Cython 0.29 only, and does not say so.
    FAST_THREAD_POOL: "pip install 'Cython<3' setuptools wheel && "
    "pip install --no-build-isolation fastthreadpool",
    ANYIO: "pip install anyio",
    ASGIREF: "pip install asgiref",
}
"""The optional rivals."""

_PATIENCE: Final = 20.0


def start_workers(submit: Callable[..., object], workers: int) -> None:
    """Let every worker start: all of them must meet at a barrier, the caller too."""
    barrier = threading.Barrier(workers + 1)
    for _ in range(workers):
        submit(barrier.wait, _PATIENCE)
    barrier.wait(_PATIENCE)


def treadle_pool(lab: Lab, workers: int | None = None) -> treadle.ThreadPoolExecutor:
    """Our pool with its workers running, shut down at the workload's end."""
    count = lab.workers if workers is None else workers
    pool = treadle.ThreadPoolExecutor(count)
    lab.stack.callback(pool.shutdown)
    start_workers(pool.submit, count)
    return pool


def stdlib_pool(lab: Lab, workers: int | None = None) -> Pool:
    """The standard pool with its workers running, shut down at the workload's end."""
    count = lab.workers if workers is None else workers
    pool = concurrent.futures.ThreadPoolExecutor(count)
    lab.stack.callback(pool.shutdown)
    start_workers(pool.submit, count)
    return pool


def both_pools(lab: Lab, workers: int | None = None) -> dict[str, Pool]:
    """Ours and the standard library's, ready to use."""
    return {TREADLE: treadle_pool(lab, workers), STDLIB: stdlib_pool(lab, workers)}


def thread_pool(lab: Lab, workers: int | None = None) -> ThreadPool:
    """`multiprocessing.pool.ThreadPool`; it starts its workers when it is made."""
    pool = ThreadPool(lab.workers if workers is None else workers)
    lab.stack.callback(pool.join)
    lab.stack.callback(pool.close)
    return pool


class FastThreadPool:
    """`fastthreadpool.Pool`: no futures, results in the order of completion in one deque."""

    def __init__(self, pool: Any) -> None:
        # Both are looked up once, so that this wrapper costs its rival nothing per task.
        self.submit: Callable[..., object] = pool.submit
        self.map: Callable[..., object] = pool.map
        self._pool = pool

    def take_results(self, count: int) -> list[Any]:
        """Wait for ``count`` results and take them out of the pool.

        ``wait_idle`` may return while a worker is between two tasks, so that the count decides;
        the pause between two looks is some percent of the time of a burst.
        """
        done = self._pool.done
        deadline = time.monotonic() + _PATIENCE
        while len(done) < count:
            self._pool.wait_idle(1.0)
            if len(done) >= count:
                break
            if time.monotonic() > deadline:
                msg = f"{FAST_THREAD_POOL} gave {len(done)} results of {count} in {_PATIENCE:g} s"
                raise RivalFailed(msg)
            time.sleep(0.0002)
        results = list(done)
        done.clear()
        return results


def fast_thread_pool(lab: Lab, workers: int | None = None) -> FastThreadPool | None:
    """`fastthreadpool`'s pool, or None where it is not installed."""
    try:
        module: Any = import_module("fastthreadpool")
    except ImportError:
        lab.missing.add(FAST_THREAD_POOL)
        return None
    count = lab.workers if workers is None else workers
    # Its shutdown joins workers that may have missed the request, without end, and would do so
    # again at exit; they are daemons, so a second's patience is enough.
    atexit.unregister(module.Shutdown)
    pool = module.Pool(count)
    lab.stack.callback(pool.shutdown, 1.0)
    fast = FastThreadPool(pool)
    start_workers(fast.submit, count)
    fast.take_results(count)
    return fast


def rival_versions() -> dict[str, str]:
    """The installed optional rivals with their versions."""
    found: dict[str, str] = {}
    for name in HOW_TO_INSTALL:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name.partition(".")[0])
    return found
