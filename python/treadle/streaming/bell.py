"""What one waiter sleeps at, in a thread or in an event loop, until any thread rings.

Thread safety: `ring` from any thread, `arm` from one waiter at a time.
Invariants:
 1. Whoever changes what the waiter looks for changes it first and rings then; the waiter arms
    first and looks then.  Both pass the lock, so one of them sees what the other has done: no
    wake-up is lost.
 2. A ring ends the wait that is armed, or nothing: it is not kept for the next one.
 3. Nobody's code runs while the lock is held.
"""

from __future__ import annotations

import contextlib
import threading

from treadle._core import Future
from treadle.errors import InvalidStateError

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    import concurrent.futures
    from typing import Any

__all__ = ["Bell", "until_done"]


class Bell:
    """Wakes one waiter, from any thread."""

    __slots__ = ("_lock", "_waiting")

    _waiting: Future[None] | None

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may close what it has interrupted
        self._waiting = None

    def arm(self) -> Future[None]:
        """What to wait for: `result()` in a thread, `await` in a loop."""
        waiting: Future[None] = Future()
        with self._lock:
            if self._waiting is None or self._waiting.done():  # who gave up leaves it cancelled
                self._waiting = waiting
                return waiting
        msg = "somebody else is reading this already: let one reader hand the items on"
        raise RuntimeError(msg)

    def disarm(self) -> None:
        """There is nothing to wait for, after all."""
        with self._lock:
            self._waiting = None

    def ring(self, _cause: object = None) -> None:
        """End the wait that is armed, if one is."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with contextlib.suppress(InvalidStateError):  # its waiter gave up at this moment
                waiting.set_result(None)


async def until_done(future: concurrent.futures.Future[Any]) -> None:
    """Wait for a future's end without taking part: a cancelled waiter leaves it alone."""
    if not future.done():
        bell = Bell()
        waiting = bell.arm()
        future.add_done_callback(bell.ring)
        await waiting
