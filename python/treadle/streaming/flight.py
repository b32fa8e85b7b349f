"""Calls in flight: submitted, and their results not yet handed to the reader.

Thread safety: one reader; `add` from the source's side, `cancel` and the workers' callbacks from
any thread.
Invariants:
 1. The length is the number of calls whose results nobody was given: a call counts until it is
    taken out, finished or not.
 2. Whoever waits in an event loop arms the bell, asks for it with `ring_when_ready`, and looks
    again: a call that ends in between has rung already.
 3. The last added is cancelled first, so no worker finds the next one while the first are being
    cancelled.
 4. Nothing here keeps a call, or its result, that was taken out.
"""

from __future__ import annotations

import contextlib
from collections import deque

from treadle.errors import CancelledError

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any, TypeAlias

    from treadle.streaming.bell import Bell

    Flight: TypeAlias = "InOrder | AsCompleted"

__all__ = ["AsCompleted", "InOrder", "expect_wait"]


def expect_wait(future: Future[Any]) -> None:
    """Tell the future's pool that the caller is about to sleep until it ends.

    A worker of the same pool that looks at this attribute counts as blocked until its task ends, so
    that the calls find a worker even where all of them wait.
    """
    _ = getattr(future, "_waiters", None)


class InOrder:
    """Gives the calls in the order in which they were added."""

    __slots__ = ("_bell", "_futures")

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._futures: deque[Future[Any]] = deque()

    def __len__(self) -> int:
        return len(self._futures)

    def add(self, future: Future[Any]) -> None:
        self._futures.append(future)

    def ready(self) -> bool:
        """Tell whether `take` need not wait."""
        try:
            return self._futures[0].done()
        except IndexError:  # empty, perhaps since a moment
            return False

    def take(self) -> Future[Any] | None:
        """Wait for the next call and take it out; None when all were cancelled meanwhile.

        It stays in when the wait is interrupted.
        """
        try:
            future = self._futures[0]
            if not future.done():
                with contextlib.suppress(CancelledError):
                    future.exception()  # a worker of the same pool helps, or lets another one in
            return self._futures.popleft()
        except IndexError:
            return None

    def ring_when_ready(self) -> None:
        with contextlib.suppress(IndexError):
            future = self._futures[0]
            expect_wait(future)
            future.add_done_callback(self._bell.ring)

    def cancel(self) -> None:
        """Cancel what has not started, and forget everything."""
        futures = self._futures
        with contextlib.suppress(IndexError):  # the reader takes one, too
            while futures:
                futures.pop().cancel()


class AsCompleted:
    """Gives the calls in the order in which they end."""

    __slots__ = ("_bell", "_ended", "_flying")

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._ended: deque[Future[Any]] = deque()  # cancelled ones may be left behind
        self._flying: dict[Future[Any], None] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._flying)

    def add(self, future: Future[Any]) -> None:
        self._flying[future] = None
        future.add_done_callback(self._end)

    def _end(self, future: Future[Any]) -> None:
        if future in self._flying:
            self._ended.append(future)
        self._bell.ring()

    def ready(self) -> bool:
        """Tell whether `take` need not wait."""
        with contextlib.suppress(IndexError):  # it may be emptied meanwhile
            while self._ended[0] not in self._flying:
                self._ended.popleft()
            return True
        return False

    def take(self) -> Future[Any] | None:
        """Wait for the next call and take it out; None when all were cancelled meanwhile.

        All stay in when the wait is interrupted.
        """
        while self._flying:
            if not self.ready():
                self._wait()
                continue
            with contextlib.suppress(IndexError):  # emptied at this moment
                future = self._ended.popleft()
                self._flying.pop(future, None)
                return future
        return None

    def _wait(self) -> None:
        waiting = self._bell.arm()
        self.ring_when_ready()
        if self.ready() or not self._flying:
            self._bell.disarm()
        else:
            waiting.result()

    def ring_when_ready(self) -> None:
        """Each end rings."""
        for future in list(self._flying)[:1]:
            expect_wait(future)

    def cancel(self) -> None:
        """Cancel what has not started, and forget everything."""
        with contextlib.suppress(KeyError):  # the source's side may add one meanwhile
            while True:
                self._flying.popitem()[0].cancel()
        self._ended.clear()
