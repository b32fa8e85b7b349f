"""What nobody can be faster than on an event loop, each a line of the tables."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final

from treadle.bench.callables import nothing
from treadle.bench.on_loops import optional

CHAINING: Final = "asyncio's own chaining"
NO_THREADS: Final = "a pool without threads"
NO_POOL: Final = "coroutines that do nothing"
HOP: Final = "lock and call_soon_threadsafe"
TRIO_HOP: Final = "lock and run_sync_soon"


class ChainedPool(Executor):
    """Calls at once, in the caller's thread: what is left is how asyncio chains futures."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()
        future.set_result(fn(*args, **kwargs))
        return future


class PoolWithoutThreads(Executor):
    """Calls at once, and ends the loop's own futures, many at a turn: the least for whoever waits.

    What is left are the turns of the loop, and its tasks.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[asyncio.Future[Any], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._ended:
            loop.call_soon(self._deliver)
        self._ended.append((future, fn(*args, **kwargs)))
        return future

    def _deliver(self) -> None:
        ended, self._ended = self._ended, []
        for future, result in ended:
            future.set_result(result)


async def not_called(_: Callable[..., object], number: int) -> int:
    """A coroutine in whose place no thread works."""
    return number


class Thread:
    """A thread that makes a call whenever a lock is released: half of the least hop."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call, self._over = call, False
        self._asked = threading.Lock()
        self._asked.acquire()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def ask(self) -> None:
        self._asked.release()

    def end(self) -> None:
        self._over = True
        self.ask()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            self._asked.acquire()
            if self._over:
                return
            self._call()


async def hops(tasks: int) -> None:
    """Wake a thread by a lock, have it wake the loop: the least that a call elsewhere can cost."""
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    thread = Thread(lambda: loop.call_soon_threadsafe(waiting.set_result, nothing(1)))
    for _ in range(tasks):
        waiting = loop.create_future()
        thread.ask()
        await waiting
    thread.end()


async def trio_hops(tasks: int) -> None:
    """The same on trio."""
    lowlevel = optional("trio").lowlevel
    token, task = lowlevel.current_trio_token(), lowlevel.current_task()

    def until_it_is(_: object) -> Any:
        return lowlevel.Abort.FAILED

    thread = Thread(lambda: token.run_sync_soon(lowlevel.reschedule, task))
    for _ in range(tasks):
        thread.ask()
        await lowlevel.wait_task_rescheduled(until_it_is)
    thread.end()
