"""The `threading.Thread` that a worker is, started without waiting for it.

`Thread.start` waits until the new thread runs, which costs two switches between threads.  Nobody
needs that here: the thread goes on to its first task while its creator goes on with its work.
What does need a running thread (`join`) waits then.
"""

from __future__ import annotations

import contextlib
import threading
import time
from _thread import allocate_lock

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from treadle._core import Worker

    T = TypeVar("T")

__all__ = ["WorkerThread", "is_in_threading"]

_in_threading: set[int] = set()


def is_in_threading() -> bool:
    """Tell whether the caller is a signal handler on top of `threading`'s code for a worker.

    Up to Python 3.12 `join` and `is_alive` hold locks that a second call in the same thread would
    wait for; `start`, on every version, one that other threads need before they run.
    """
    return threading.get_ident() in _in_threading


class _Started(threading.Event):
    """The event that `Thread.start` waits for; in the thread that calls it, it does not wait.

    It is one bare lock, held until the thread has started.  An ordinary event has a lock that both
    sides take for a moment: a signal handler on top of a wait for the event, waiting for the same
    thread, would hold it, and the thread could not say that it has started.
    """

    def __init__(self) -> None:
        self.starter: int | None = threading.get_ident()
        self._at_fork_reinit()

    def _at_fork_reinit(self) -> None:
        self._flag = getattr(self, "_flag", False)
        self._closed = allocate_lock()
        self._closed.acquire()

    def set(self) -> None:
        self._flag = True
        self._release()

    def wait(self, timeout: float | None = None) -> bool:
        if self.starter == threading.get_ident():
            return True
        end_time = None if timeout is None else time.monotonic() + timeout
        while not self._flag:
            left = LOOK_AGAIN if end_time is None else end_time - time.monotonic()
            if left <= 0:
                return False
            # Each who is let in lets in the next; one that was interrupted in between does not.
            if self._closed.acquire(timeout=min(left, LOOK_AGAIN)):
                self._release()
        return True

    def _release(self) -> None:
        with contextlib.suppress(RuntimeError):  # somebody else has set the event, too
            self._closed.release()


LOOK_AGAIN = 0.05
"""Seconds until a waiter looks again whether the thread has started."""


class WorkerThread(threading.Thread):
    """A worker's thread, as `threading` and its users see it.

    It must be started by the thread that makes it.
    """

    _started: _Started
    _failed = False  # it could not be started, and whoever joins it need not wait

    def __init__(self, worker: Worker, name: str, daemon: bool) -> None:
        super().__init__(target=worker, name=name, daemon=daemon)
        self._started = _Started()

    def start(self) -> None:
        try:
            _call_within(super().start)  # whoever has patched Thread.start is part of it
        except BaseException:
            self._failed = not self.has_started()
            self._started.set()
            raise
        finally:
            self._started.starter = None

    def has_started(self) -> bool:
        """Tell whether the thread runs, or has run."""
        return self._started.is_set() and not self._failed

    def wait_started(self, timeout: float | None = None) -> None:
        """Wait until it does."""
        self._started.wait(timeout)

    def join(self, timeout: float | None = None) -> None:
        if not self._started.is_set():
            begin = time.monotonic()
            self._started.wait(timeout)
            if timeout is not None:
                timeout = max(0.0, timeout - (time.monotonic() - begin))
        if self._started.is_set() and not self._failed:
            _call_within(super().join, timeout)

    def is_alive(self) -> bool:
        if self._failed:
            return False
        if not self._started.is_set():
            return True
        return _call_within(super().is_alive)


def _call_within(method: Callable[..., T], *args: Any) -> T:
    """Call it; meanwhile, `is_in_threading` is true of this thread.

    Not a context manager: what a signal handler raises while one is entered, it does not see.
    """
    identity = threading.get_ident()
    outermost = not is_in_threading()
    try:
        _in_threading.add(identity)
        return method(*args)
    finally:
        if outermost:
            _in_threading.discard(identity)
