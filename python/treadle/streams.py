"""`pool.stream`: results of calls for a stream of items, read with `for` or `async for`.

Thread safety: one reader at a time, in any thread or loop; `close` from any thread.
Invariants:
 1. Whoever reads has the turn, until its item is there; another reader gets an error.  The source
    is advanced and closed only by whoever has the turn, or by the pump.
 2. When a stream has ended, for whatever reason, nothing of it is queued, its source is closed
    unless it was read to its end, and no task or thread of it is left.  Whoever ends it while
    another thread has the turn leaves the source to that one.
 3. Neither futures nor the pump refer to the stream: when its reader lets go of it, it closes.
"""

from __future__ import annotations

import sys
import threading

from treadle._generic import Generic
from treadle.errors import CancelledError
from treadle.streaming import checks
from treadle.streaming.asyncio_loop import running_loop
from treadle.streaming.bell import Bell
from treadle.streaming.feed import Feed
from treadle.streaming.flight import AsCompleted, InOrder
from treadle.streaming.pump import Pump, close_source
from treadle.streaming.raising import raisable

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import Any, TypeVar

    from treadle.executors.thread import ThreadPoolExecutor

    T = TypeVar("T")
    S = TypeVar("S")

else:
    T = None  # `typing` is not imported for a mere annotation


__all__ = ["Stream", "open_stream"]

MORE_THAN_WORKERS = 64
"""By how much the default of `concurrency` exceeds the workers.

Reader and workers take turns; what a turn costs is shared by the items in flight."""


def open_stream(
    pool: ThreadPoolExecutor,
    fn: Callable[[S], T],
    items: Iterable[S] | AsyncIterable[S],
    concurrency: int | None,
    ordered: bool,
) -> Stream[T]:
    """What `stream` of the executors gives."""
    checks.check_function(fn, "stream")
    checks.check_size(concurrency, "concurrency", optional=True)
    if concurrency is None:
        concurrency = pool._max_workers + MORE_THAN_WORKERS
    return Stream(pool, fn, items, concurrency, ordered)


class Stream(Generic[T]):
    """The results of `pool.stream`; an iterator and an async iterator."""

    __slots__ = ("__weakref__", "_async_source", "_feed", "_items", "_pump", "_source", "_turn")

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        fn: Callable[[S], T],
        items: Iterable[S] | AsyncIterable[S],
        concurrency: int,
        ordered: bool,
    ) -> None:
        bell = Bell()
        self._turn = threading.Lock()
        source: Any = items
        self._items: Any = items
        self._source: Iterator[Any] | None = None
        self._async_source: AsyncIterator[Any] | None = None
        self._pump: Pump | None = None
        if not hasattr(items, "__aiter__"):
            self._source = iter(source)
        elif not hasattr(items, "__iter__"):
            self._async_source = source.__aiter__()
        # Another stream has both faces: the first read tells which one is wanted.
        flight = InOrder(bell) if ordered else AsCompleted(bell)
        self._feed = Feed(pool, fn, concurrency, flight, bell)

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the very end modules are empty, and the workers are gone: nothing is queued.
        if hasattr(self, "_feed") and not _is_finalizing():
            self.close()

    # ---- in a thread

    def __iter__(self) -> Stream[T]:
        if not self._feed.ended:
            self._open_source()
        return self

    def __next__(self) -> T:
        feed = self._feed
        if self._source is None and not feed.ended:
            self._open_source()
        if not self._take_turn():
            raise StopIteration
        try:
            if not feed.ended and self._source is not None:
                feed.fill(self._source)
                if feed.must_wait_for_room():
                    feed.submit_held()
            if not feed.is_empty():
                future: list[Future[T] | None] = [feed.flight.take()]
                if not feed.closed:
                    return _result(future)
            error = feed.error
            if error is None:
                raise StopIteration
            raise raisable(error)
        except BaseException:
            feed.closed = True
            raise
        finally:
            self._turn.release()
            if feed.closed:
                self.close()

    def close(self) -> None:
        """Stop: cancel the calls that have not started, and close the source.

        It does not wait for calls that run.  An async source is closed by its event loop a moment
        later; `aclose` waits for that.
        """
        source, _ = self._end()
        if source is not None and hasattr(source, "close"):
            source.close()

    # ---- in an event loop

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        feed = self._feed
        if not self._take_turn():
            raise StopAsyncIteration
        try:
            if self._source is not None and not feed.ended:
                feed.fill(self._source)
            if not feed.flight.ready():
                await self._wait_ready()
            future: list[Future[T] | None] = [feed.flight.take()]
            if self._pump is not None:
                self._pump.make_room()
            result = _result(future)
        except GeneratorExit:  # nothing can be awaited any more
            self._turn.release()
            self.close()
            raise
        except BaseException:
            self._turn.release()
            await self.aclose()
            raise
        self._turn.release()
        if feed.closed:
            self.close()
        return result

    async def aclose(self) -> None:
        """Stop as `close` does, and wait until the source is closed."""
        pump = self._pump
        source, async_source = self._end()
        if source is not None and hasattr(source, "close"):
            source.close()
        if async_source is not None:
            await close_source(async_source)
        if pump is not None:
            await pump.stopped()

    async def _wait_ready(self) -> None:
        """Wait until a result is ready; raise what ends the stream when none will be."""
        feed = self._feed
        while not feed.flight.ready():
            if self._pump is None and feed.must_wait_for_room():
                await feed.submit_held_async()
                continue
            if self._source is None and self._pump is None and feed.has_room():
                await self._open_async_source()
                continue
            waiting = feed.bell.arm()
            feed.flight.ring_when_ready()
            if not feed.flight.ready() and not feed.is_empty():
                await waiting
                continue
            feed.bell.disarm()
            if feed.is_empty():
                error = feed.error
                if error is None:
                    raise StopAsyncIteration
                raise raisable(error)

    # ---- for both

    def _take_turn(self) -> bool:
        """Begin to read; False when somebody closes the stream at this moment."""
        taken = self._turn.acquire(blocking=False)
        if not taken and not self._feed.closed:
            msg = "this stream is being read already: give each reader a stream of its own"
            raise RuntimeError(msg)
        return taken

    def _open_source(self) -> None:
        if self._source is None:
            if self._pump is not None or not hasattr(self._items, "__iter__"):
                msg = "the items of this stream are an async iterable: read it with 'async for'"
                raise TypeError(msg)
            items: Any = self._items
            self._source = iter(items)

    async def _open_async_source(self) -> None:
        """Start the pump; without asyncio's loop, the reader itself advances the source."""
        items: Any = self._items
        source: AsyncIterator[Any] = self._async_source or items.__aiter__()
        loop = running_loop()
        if loop is None:
            self._async_source = source
            await self._feed.fill_async(source)
            return
        self._async_source = None  # the pump's from now on
        self._pump = Pump(loop, source, self._feed)
        self._pump.start()

    def _end(self) -> tuple[Any, Any]:
        """End everything but the source: the caller closes what it gets."""
        feed = self._feed
        feed.close()
        if self._pump is not None:
            self._pump.stop()
        feed.bell.ring()
        if not self._turn.acquire(blocking=False):
            return None, None  # whoever has the turn does it
        try:
            sources = self._source, self._async_source
            self._items = self._source = self._async_source = None
        finally:
            self._turn.release()
        return (None, None) if feed.exhausted else sources


def _result(future: list[Future[T] | None]) -> T:
    """The result of the one future in the list, which is taken out."""
    taken = future.pop()
    try:
        if taken is None:
            raise CancelledError
        return taken.result()
    except (StopIteration, StopAsyncIteration) as error:
        raise raisable(error) from error
    finally:
        del taken  # the exception's traceback would keep it, and it keeps the exception
