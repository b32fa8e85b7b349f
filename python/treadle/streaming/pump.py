"""A task of asyncio that feeds an async source to a pool while the reader does other things.

Without it, a source that takes its time would hold back results that are ready.

Thread safety: everything in the loop's thread, but `stop` and `make_room`, which come from any.
Invariants:
 1. The task refers to the feed, never to the stream: a stream that nobody reads any more is
    collected, and stops its pump then.
 2. The source is advanced and closed by this task alone, so what it keeps by task (cancel scopes,
    timeouts) belongs together.  A source that is not read to its end is closed before `_over`
    ends.
 3. `_over` ends last, whatever happens; awaiting it never cancels it.
"""

from __future__ import annotations

import contextlib

from treadle._core import Future
from treadle.errors import InvalidStateError
from treadle.streaming.asyncio_loop import running_loop
from treadle.streaming.bell import Bell, until_done

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from typing import Any

    from treadle.streaming.feed import Feed

__all__ = ["Pump", "close_source"]

_ENDS_THE_LOOP = (KeyboardInterrupt, SystemExit)


async def close_source(source: Any) -> None:
    """Close an async source, if it can be."""
    if hasattr(source, "aclose"):
        await source.aclose()


class Pump:
    """Advances one async source as long as there is room in the flight."""

    __slots__ = (
        "_awaited",
        "_feed",
        "_feeds",
        "_loop",
        "_over",
        "_room",
        "_source",
        "_stopping",
        "_task",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, source: AsyncIterator[Any], feed: Feed
    ) -> None:
        self._loop = loop
        self._source = source
        self._feed = feed
        self._room = Bell()
        self._task: asyncio.Task[None] | None = None
        self._awaited = False
        self._feeds = False  # what a cancellation ends; closing the source must not be disturbed
        self._stopping = False
        self._over: Future[None] = Future()

    def start(self) -> None:
        task = self._task = self._loop.create_task(self._run())
        # A loop that is closed without ending its tasks is no news: the stream has closed, too.
        with contextlib.suppress(AttributeError):
            task._log_destroy_pending = False  # type: ignore[attr-defined]

    def make_room(self) -> None:
        """A result was handed out."""
        self._room.ring()

    def stop(self) -> None:
        """Cancel the task, from any thread; it closes the source."""
        if running_loop() is self._loop:
            self._cancel()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its tasks with it
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        # A task that has not begun looks at the flag: cancelled now, it would never run.
        if not self._stopping and self._feeds and self._task is not None:
            self._task.cancel()
        self._stopping = True

    async def stopped(self) -> None:
        """Stop it, wait until the source is closed, and raise what closing it raised."""
        self._awaited = True
        self.stop()
        if not self._loop.is_closed():
            await until_done(self._over)
            self._over.result()

    async def _run(self) -> None:
        failure: BaseException | None = None
        try:
            if not self._stopping:
                self._feeds = True
                await self._feed_all()
        except GeneratorExit:  # the loop is gone: nothing can be awaited any more
            raise
        except BaseException as error:
            failure = error
        self._feeds = False
        feed = self._feed
        if not feed.exhausted:
            try:
                await close_source(self._source)
            except GeneratorExit:
                raise
            except BaseException as error:
                self._finish(error)
                return
        if not feed.closed:
            feed.end(feed.error or failure)
            feed.bell.ring()
            failure = None
        self._finish(failure if isinstance(failure, _ENDS_THE_LOOP) else None)

    def _finish(self, failure: BaseException | None) -> None:
        if isinstance(failure, _ENDS_THE_LOOP):
            self._over.set_result(None)
            raise failure
        with contextlib.suppress(InvalidStateError):
            if isinstance(failure, Exception) and self._awaited:
                self._over.set_exception(failure)
            else:
                self._over.set_result(None)
        if isinstance(failure, Exception) and not self._awaited:
            message = "an async source failed to close when its stream had ended"
            self._loop.call_exception_handler({"message": message, "exception": failure})

    async def _feed_all(self) -> None:
        feed = self._feed
        while not feed.ended:
            if feed.has_room():
                await feed.take_async(self._source)
                if feed.held:
                    await feed.submit_held_async()
                if len(feed.flight) <= 1 or feed.ended:
                    feed.bell.ring()  # the reader may have waited for this very item
                continue
            room = self._room.arm()
            if feed.has_room() or feed.ended:
                self._room.disarm()
            else:
                await room
