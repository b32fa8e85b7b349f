"""The way in: items from a source, each submitted as a call while there is room in the flight.

Thread safety: one thread at a time takes items, the reader's or the pump's loop's; `closed` is set
by any.
Invariants:
 1. An item is taken only while fewer than `concurrency` calls are in flight, so with it there are
    at most that many.
 2. When `ended` is set no further item is taken; `error` was set before, if there is one, and is
    raised when all calls in flight have been handed out.
 3. An item that finds the pool's queue full is held, and counts as in flight.  As long as there are
    calls to wait for it waits with them; the next who fills the flight submits it first.
 4. A call that is added after the stream was closed is cancelled by whoever added it.
"""

from __future__ import annotations

from collections import deque

from treadle.executors._bounded import submits_natively

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Future
    from typing import Any

    from treadle.executors.thread import ThreadPoolExecutor
    from treadle.streaming.bell import Bell
    from treadle.streaming.flight import Flight

__all__ = ["Feed"]


class Feed:
    """Fills a flight with the calls of `fn` for a source's items."""

    __slots__ = (
        "_concurrency",
        "_fn",
        "_pool",
        "_submit",
        "bell",
        "closed",
        "ended",
        "error",
        "exhausted",
        "flight",
        "held",
    )

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        fn: Callable[[Any], Any],
        concurrency: int,
        flight: Flight,
        bell: Bell,
    ) -> None:
        self._pool = pool
        bound = pool._max_pending  # pyright: ignore[reportPrivateUsage]
        lazily = bound is not None and submits_natively(pool)
        # Gives None when the queue is full.
        self._submit: Callable[..., Any] = pool.try_submit if lazily else pool.submit
        self._fn = fn
        self._concurrency = concurrency
        self.flight = flight
        self.bell = bell
        self.closed = False
        self.ended = False
        self.exhausted = False  # the source ended by itself: it needs no closing
        self.error: BaseException | None = None
        self.held: deque[Any] = deque()  # one at most

    def has_room(self) -> bool:
        return len(self.flight) + len(self.held) < self._concurrency and not self.ended

    def fill(self, source: Iterator[Any]) -> None:
        """Take one item, and more as long as no result is ready."""
        self.retry()
        while self.has_room() and not self.held:
            try:
                item = next(source)
            except StopIteration:
                self.exhaust()
            except Exception as error:
                self.end(error)
            else:
                self.submit(item)
            if self.flight.ready():
                return

    async def fill_async(self, source: AsyncIterator[Any]) -> None:
        """The same from an async source, in the reader's own task."""
        self.retry()
        while self.has_room() and not self.held:
            await self.take_async(source)
            if self.flight.ready():
                return

    async def take_async(self, source: AsyncIterator[Any]) -> None:
        try:
            item = await source.__anext__()
        except StopAsyncIteration:
            self.exhaust()
        except Exception as error:
            self.end(error)
        else:
            if not self.closed:
                self.submit(item)

    def submit(self, item: Any) -> None:
        try:
            future = self._submit(self._fn, item)
        except Exception as error:  # the pool takes no more: what it has taken is handed out first
            self.end(error)
            return
        if future is None:
            self.held.append(item)
        else:
            self._add(future)

    def _add(self, future: Future[Any]) -> None:
        self.flight.add(future)
        if self.closed:
            self.flight.cancel()

    def retry(self) -> None:
        """Submit the held item if there is room by now."""
        if self.held:
            self.submit(self.held.popleft())

    def must_wait_for_room(self) -> bool:
        """Whether an item is held, and there is nothing else to wait for."""
        return bool(self.held) and not self.flight

    def submit_held(self) -> None:
        """Do with the held item what the pool does with a call that finds no room."""
        try:
            future = self._pool.submit(self._fn, self.held.popleft())
        except Exception as error:
            self.end(error)
        else:
            self._add(future)

    async def submit_held_async(self) -> None:
        """Wait for room without blocking the event loop; submit the held item."""
        try:
            future = await self._pool.submit_async(self._fn, self.held.popleft())
        except Exception as error:
            self.end(error)
        else:
            self._add(future)

    def exhaust(self) -> None:
        self.exhausted = True
        self.end(None)

    def end(self, error: BaseException | None) -> None:
        self.error = error
        self.ended = True

    def is_empty(self) -> bool:
        """Tell whether all results have been handed out, and no more will come."""
        return self.ended and not self.flight

    def close(self) -> None:
        """Take no more, and cancel what has not started."""
        self.closed = self.ended = True
        self.error = None
        self.held.clear()
        self.flight.cancel()
