"""What `options` of an executor gives: the same pool, with options for each task.

Invariants:
 1. A view is an executor like any other: whoever gets one need not know that it is a view.
 2. Its end is its own: the pool, and other views of it, go on.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from contextvars import Context
from weakref import ref

from treadle._core import View as NativeView
from treadle.errors import ShutdownTimeout
from treadle.executors import _shutdown
from treadle.executors._options import WithOptions
from treadle.executors._results import as_they_come, check_buffersize, in_order
from treadle.executors._seconds import check_seconds
from treadle.executors._streaming import Streaming
from treadle.executors.priority import PriorityExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from treadle.executors.thread import ThreadPoolExecutor
    from treadle.statistics import ExecutorStatistics

    T = TypeVar("T")

__all__ = ["View", "open_view"]


def open_view(executor: Any, given: dict[str, Any]) -> View:
    """A view with these options, on top of those that the executor has if it is a view."""
    if isinstance(executor, View):
        given = {**executor.given, **given}
        executor = executor.pool
    _check(given)
    return View(executor, given)


def _check(given: dict[str, Any]) -> None:
    for option in ("deadline", "timeout"):
        check_seconds(given.get(option), option)
    name, context = given.get("name"), given.get("context")
    if name is not None and not isinstance(name, str):
        msg = f"name must be a string or None, not {name!r}"
        raise TypeError(msg)
    inherit = given.get("inherit")
    if inherit is not None and not isinstance(inherit, bool):
        msg = f"inherit must be True, False or None, not {inherit!r}"
        raise TypeError(msg)
    if context is not None and not isinstance(context, Context):
        msg = f"context must be a contextvars.Context or None, not {context!r}"
        raise TypeError(msg)


class View(Streaming, WithOptions, NativeView):
    """An executor that submits to a pool of others, with options for each task."""

    def __init__(self, pool: ThreadPoolExecutor, given: dict[str, Any]) -> None:
        self.pool = pool
        self.given = given
        priority = given.get("priority")
        takes_priority = priority is None and isinstance(pool, PriorityExecutor)
        self._see(
            pool,
            priority,
            given.get("deadline"),
            given.get("timeout"),
            given.get("name"),
            given.get("context"),
            given.get("inherit") is not False,
            takes_priority,
        )

    def __repr__(self) -> str:
        options = "".join(f" {option}={value!r}" for option, value in self.given.items())
        return f"<View of {self.pool!r}{options}>"

    @property
    def _max_workers(self) -> int:
        return self.pool._max_workers

    @property
    def _max_pending(self) -> int | None:
        return self.pool._max_pending  # pyright: ignore[reportPrivateUsage]

    @property
    def _when_full(self) -> str:
        return self.pool._when_full  # pyright: ignore[reportPrivateUsage]

    def _may_batch(self, _: object) -> bool:
        return False  # its `submit` is not the pool's

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """As `ThreadPoolExecutor.map`, with this view's options for each call."""
        return self._results(in_order, fn, iterables, timeout, buffersize)

    def map_unordered(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """As `ThreadPoolExecutor.map_unordered`, with this view's options for each call."""
        return self._results(as_they_come, fn, iterables, timeout, buffersize)

    def submit_many(self, fn: Callable[..., T], /, *iterables: Iterable[Any]) -> list[Any]:
        """Submit fn(*items) for each of zip(*iterables); return the list of futures."""
        if not iterables:
            msg = "submit_many() needs a callable and at least one iterable"
            raise TypeError(msg)
        futures: list[Any] = []
        try:
            for args in list(zip(*iterables)):  # noqa: B905  # the shortest one ends the calls
                futures.append(self.submit(fn, *args))  # noqa: PERF401
        except BaseException:
            while futures:  # all or none, as far as they have not started
                futures.pop().cancel()
            raise
        return futures

    def statistics(self) -> ExecutorStatistics:
        """As `ThreadPoolExecutor.statistics`, of the whole pool."""
        return self.pool.statistics()

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> None:
        """Take no more calls by way of this view; the pool goes on.

        Args:
            wait: Whether to wait until the calls of this view have ended.

            cancel_futures: Whether to cancel those that have not started.

            timeout: Seconds to wait; None for ever.

        Raises:
            ShutdownTimeout: Calls have not ended when the time is up.

            RuntimeError: A task of this view waits for itself.

            ValueError: `timeout` is negative or not finite, or given with `wait=False`.

            TypeError: `timeout` is no number.

        Example::

            with pool.options(deadline=5) as view:
                view.submit(fetch, url)
        """
        _shutdown.check_timeout(timeout, wait=wait)
        self._end(cancel_futures)
        self._stop_iterations(wait, cancel_futures)
        if not wait:
            return
        self._check_waiter()
        self.pool._run_what_waits()  # pyright: ignore[reportPrivateUsage]
        if self._wait_for_all(None if timeout is None else float(timeout)):
            return
        if left := self._unfinished():
            msg = f"calls of this view that have not ended after {timeout:g} seconds: {left}"
            raise ShutdownTimeout(msg, ())

    async def aclose(self, *, cancel_futures: bool = False, timeout: float | None = None) -> None:
        """Shut the view down as `shutdown(wait=True)` does, without blocking the event loop.

        The arguments and the errors are those of `shutdown`.  When the waiter is cancelled, the
        shutdown goes on.

        Example::

            await view.aclose(timeout=10)
        """
        from treadle.executors._closing import end_in_thread

        _shutdown.check_timeout(timeout, wait=True)
        self._check_waiter()
        self.shutdown(wait=False, cancel_futures=cancel_futures)
        self._stop_iterations(True, False, whole_thread=False)
        self.pool._run_what_waits()  # pyright: ignore[reportPrivateUsage]
        if self._unfinished():
            await end_in_thread(self, timeout)

    def _check_waiter(self) -> None:
        if self._has_task_here():
            msg = "a task of this view cannot wait for its end: call shutdown(wait=False)"
            raise RuntimeError(msg)

    def _results(
        self,
        produce: Any,
        fn: Callable[..., T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        buffersize: int | None,
    ) -> Iterator[T]:
        check_buffersize(buffersize)
        end_time = None if timeout is None else timeout + time.monotonic()
        calls = zip(*iterables)  # noqa: B905  # the shortest one ends the calls
        futures = deque(self.submit(fn, *args) for args in itertools.islice(calls, buffersize))
        results: Iterator[T] = produce(
            ref(self), fn, calls if buffersize else None, futures, end_time
        )
        return results
