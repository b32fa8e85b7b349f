"""What thread pools offer beyond the standard interface for streams, and for event loops.

What does the work is imported by the first call: most programmes stream nothing.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable
    from types import TracebackType
    from typing import Any, ParamSpec, TypeVar

    from typing_extensions import Self

    from treadle.iterate import Iteration
    from treadle.streams import Stream

    P = ParamSpec("P")
    S = TypeVar("S")
    T = TypeVar("T")

__all__ = ["Streaming"]


class Streaming:
    """Mixed into the executors: `stream`, `iterate`, and an end that blocks no event loop."""

    __slots__ = ()

    def stream(
        self,
        fn: Callable[[S], T],
        items: Iterable[S] | AsyncIterable[S],
        *,
        concurrency: int | None = None,
        ordered: bool = True,
    ) -> Stream[T]:
        """Call `fn` with items that may go on for ever; give the results to `for` or `async for`.

        Nothing happens before the first result is asked for.  An item is in flight from the moment
        that it is taken from `items` until its result is handed out.

        Args:
            fn: A callable that takes one item.

            items: An iterable, whose next item is taken in the reader's thread, or an async
                iterable, which a task of its own advances on asyncio.  On other event loops the
                reader advances it: there, results that are ready wait while it is slow.

            concurrency: The most items in flight; None for 64 more than there are workers.  On a
                pool with `max_pending`, an item that finds no room waits for a result of the
                stream; where there is none to come it waits for room, in a thread as `submit` does.

            ordered: Whether results come in the order of the items; otherwise as calls end.

        Returns:
            An iterator and async iterator in one.  When it is closed (`close`, `aclose`), when its
            reader lets go of it or is cancelled, calls that have not started are cancelled and the
            source is closed.

        Raises:
            TypeError: `fn` is a coroutine function, or `items` is not iterable; from the iterator,
                when the items are async and it is read with `for`.

            ValueError: `concurrency` is not positive.

            RuntimeError: From the iterator, when two read at once, or the pool was shut down.

            Exception: From the iterator, whatever a call has raised, in its place; the stream ends
                there.  What `items` raises comes after the results of the items before.

        Example::

            async for page in pool.stream(fetch, urls, concurrency=20):
                print(len(page))
        """
        from treadle.streams import open_stream

        return open_stream(self, fn, items, concurrency, ordered)  # type: ignore[arg-type]

    def iterate(
        self,
        generator_fn: Callable[..., Iterable[T]],
        /,
        *args: Any,
        buffersize: int = 64,
        **kwargs: Any,
    ) -> Iteration[T]:
        """Run a blocking generator in one worker; give its items to `for` or `async for`.

        The worker starts at once and is taken until the generator ends.  It hands over many items
        at a time while the reader is busy, and each one at once while the reader waits.  On a pool
        with `max_pending` this call waits for room, unless a full queue raises or drops there; the
        caller never runs the generator itself.

        Args:
            generator_fn: A generator function, or anything that returns an iterable.

            *args: Its arguments.

            buffersize: How many items the generator may be ahead of the reader.

            **kwargs: Its keyword arguments.

        Returns:
            An iterator and async iterator in one.  When it is closed (`close`, `aclose`), when its
            reader lets go of it or is cancelled, the generator is closed in its worker, as soon as
            it gives its next item.

        Raises:
            TypeError: `generator_fn` is a coroutine function or an async generator function.

            ValueError: `buffersize` is not positive.

            RuntimeError: The pool was shut down; from the iterator, when two read at once.

            Exception: From the iterator, whatever the generator has raised, after its items.

            CancelledError: From the iterator, when the pool was shut down with `cancel_futures`, or
                by the very thread that should have read on.

        Example::

            async for line in pool.iterate(open, path):
                print(line)
        """
        from treadle.iterate import open_iteration

        return open_iteration(self, generator_fn, args, kwargs, buffersize)  # type: ignore[arg-type]

    async def aclose(self, *, cancel_futures: bool = False, timeout: float | None = None) -> None:
        """Shut down as `shutdown(wait=True)` does, without blocking the event loop.

        The pool takes no more calls from the moment of the call on.  When the waiter is cancelled,
        the shutdown goes on.

        Args:
            cancel_futures: Whether to cancel the calls that have not started.

            timeout: Seconds to wait; None for ever.

        Raises:
            ShutdownTimeout: Calls still run when the time is up; it names them.

            RuntimeError: A worker of this pool waits for itself.

            ValueError: `timeout` is negative or not finite.

            TypeError: `timeout` is no number.

        Example::

            await pool.aclose(timeout=10)
        """
        from treadle.executors._closing import shut_down_in_thread

        await shut_down_in_thread(self, cancel_futures, timeout)  # type: ignore[arg-type]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _stop_iterations(
        self, wait: bool, cancel_futures: bool, *, whole_thread: bool = True
    ) -> None:
        """Stop the generators that would keep `shutdown` waiting for its own caller."""
        running = sys.modules.get("treadle.streaming.running")
        if running is None:
            return
        if cancel_futures:
            running.stop_all(self)
        elif wait:
            running.stop_those_of(self, running.current_reader(), whole_thread=whole_thread)
