"""Waiting in an event loop for all of several calls, or for the first one that fails.

Thread safety: `wait` in one task; the workers' callbacks from any thread.
Invariant: failures are kept in the order in which they happened, and before the bell rings.
"""

from __future__ import annotations

import itertools

from treadle.streaming.bell import Bell

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from treadle._core import Future

__all__ = ["Countdown"]


class Countdown:
    """Counts the ends of calls."""

    __slots__ = ("_bell", "_ends", "_failed", "_futures")

    def __init__(self, futures: Sequence[Future[Any]]) -> None:
        self._futures = futures
        self._bell = Bell()
        self._failed: list[Future[Any]] = []
        self._ends = itertools.count(1)

    async def wait(self) -> list[Future[Any]]:
        """Wait until all have ended; or give those that have failed, or were cancelled."""
        waiting = self._bell.arm()
        last = len(self._futures)
        ends, failed, ring = self._ends, self._failed, self._bell.ring

        def count(future: Any) -> None:
            if future.cancelled() or future.exception() is not None:
                failed.append(future)
                ring()
            if next(ends) == last:
                ring()

        for future in self._futures:
            future.add_done_callback(count)
        if last:
            await waiting
        return failed
