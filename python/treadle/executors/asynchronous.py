"""AsyncThreadExecutor: blocking functions for programmes that await.

Thread safety: every method from any thread; what it awaits belongs to the caller's event loop.
Invariants:
 1. Whoever stops waiting for a call, because the time is up or it was cancelled itself, cancels the
    call if it has not started, and otherwise asks it to stop: it is abandoned until it ends.
 2. No call of `run` or `map` is left in the queue when it has raised.
"""

from __future__ import annotations

from treadle._generic import Generic
from treadle.executors.thread import ThreadPoolExecutor
from treadle.streaming import checks
from treadle.streaming.countdown import Countdown
from treadle.streaming.timeout import wait_in_time

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable
    from types import TracebackType
    from typing import Any, TypeVar

    from typing_extensions import Self

    from treadle.statistics import ExecutorStatistics
    from treadle.streams import Stream

    S = TypeVar("S")
    T = TypeVar("T")

else:
    T = None  # `typing` is not imported for a mere annotation


__all__ = ["AsyncThreadExecutor"]


class AsyncThreadExecutor(Generic[T]):
    """Threads for an event loop: calls are awaited, and have a time limit.

    `AsyncThreadExecutor[int]` is one whose functions give integers, for type checkers.

    Args:
        max_workers: The most threads that run calls; None for the standard library's default.

        thread_name_prefix: What the threads' names begin with.

        initializer: A callable that each worker calls first; when it raises, the pool is broken.

        initargs: The initializer's arguments.

        histograms: Whether `statistics` tells how long calls waited and ran.

    Raises:
        ValueError: `max_workers` is not positive.

        TypeError: `initializer` is not callable.

    Example::

        async with AsyncThreadExecutor(8) as executor:
            page = await executor.run(fetch, url, timeout=5)
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        histograms: bool = False,
    ) -> None:
        self._pool = ThreadPoolExecutor(
            max_workers, thread_name_prefix, initializer, initargs, histograms=histograms
        )

    async def run(self, fn: Callable[..., T], /, *args: Any, timeout: float | None = None) -> T:
        """Call `fn(*args)` in a worker and await its result.

        Args:
            fn: A callable.

            *args: Its arguments.

            timeout: Seconds to wait for the result, the time in the queue included; None for ever.

        Returns:
            What the call returns.

        Raises:
            TimeoutError: The time is up, as from `asyncio.wait_for`.  A call that runs goes on in
                its thread, counted in `statistics().abandoned`.

            ValueError: `timeout` is not positive, or not finite.

            TypeError: `timeout` is no number, or `fn` is a coroutine function.

            RuntimeError: The executor was shut down.

        Example::

            size = await executor.run(os.path.getsize, path, timeout=1)
        """
        checks.check_function(fn, "run")
        checks.check_seconds(timeout)
        future = self._pool.submit(fn, *args)
        try:
            if timeout is not None:
                await wait_in_time(future, float(timeout))
            return await future
        except BaseException:
            future.cancel()
            raise
        finally:
            del future  # the exception's traceback would keep it, and it keeps the exception

    async def map(self, fn: Callable[[S], T], items: Iterable[S], /) -> list[T]:
        """Call `fn` with each item; await all results, in the order of the items.

        Args:
            fn: A callable that takes one item.

            items: An iterable; it is read to its end at once.

        Returns:
            The list of the results.

        Raises:
            Exception: What the first call to fail has raised; calls that have not started are
                cancelled.

            TypeError: `fn` is a coroutine function, or `items` is not iterable.

            RuntimeError: The executor was shut down.

        Example::

            sizes = await executor.map(os.path.getsize, paths)
        """
        checks.check_function(fn, "map")
        futures = self._pool.submit_many(fn, items)
        try:
            failed = await Countdown(futures).wait()
            if failed:
                del failed[1:]
                await failed.pop()  # raises
            return [future.result() for future in futures]
        finally:
            while futures:  # the last first: no worker finds one of them in between
                futures.pop().cancel()

    def stream(
        self,
        fn: Callable[[S], T],
        items: Iterable[S] | AsyncIterable[S],
        *,
        concurrency: int | None = None,
        ordered: bool = True,
    ) -> Stream[T]:
        """Call `fn` with items that may go on for ever; read the results with `async for`.

        Arguments, result and errors are those of `ThreadPoolExecutor.stream`.

        Example::

            async for page in executor.stream(fetch, urls, concurrency=20):
                print(len(page))
        """
        return self._pool.stream(fn, items, concurrency=concurrency, ordered=ordered)

    def statistics(self) -> ExecutorStatistics:
        """Tell what the executor is doing, and what it has done.

        Example::

            print(executor.statistics().abandoned)
        """
        return self._pool.statistics()

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take no more calls; those that are queued still run.

        Args:
            wait: Whether to wait until all calls have ended, which blocks the event loop: `aclose`
                does not.

            cancel_futures: Whether to cancel the calls that have not started.

        Example::

            executor.shutdown(cancel_futures=True)
        """
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    async def aclose(self, *, cancel_futures: bool = False, timeout: float | None = None) -> None:
        """Shut down and wait until all calls have ended, without blocking the event loop.

        Arguments and errors are those of `ThreadPoolExecutor.aclose`.  When the waiter is
        cancelled, the shutdown goes on.

        Example::

            await executor.aclose()
        """
        await self._pool.aclose(cancel_futures=cancel_futures, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
