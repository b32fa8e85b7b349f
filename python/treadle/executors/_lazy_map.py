"""`map` on a bounded pool: calls submitted by the reader of their results, as room allows.

Thread safety: one reader.
Invariants:
 1. An item is taken from the iterables only when its call is submitted next; one that has found no
    room is kept, and goes first.
 2. As long as a call of its own is under way, the reader waits for that one and not for room: so it
    needs nobody else.  Only where there is none, because others have filled the queue, it does what
    `submit` does.
 3. An error of the iterables, or of the pool, comes after the results of the calls before.
"""

from __future__ import annotations

import time
from collections import deque

from treadle.errors import TimeoutError

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from treadle._core import Future
    from treadle.executors.thread import ThreadPoolExecutor

    T = TypeVar("T")

__all__ = ["Calls", "as_they_come", "in_order"]


class Calls:
    """The calls of one `map`, those under way and those to come."""

    __slots__ = ("_ahead", "_arguments", "_error", "_fn", "_held", "_pool", "end_time", "flight")

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        fn: Callable[..., Any],
        arguments: Iterator[tuple[Any, ...]],
        buffersize: int | None,
        end_time: float | None,
    ) -> None:
        self._pool = pool
        self._fn = fn
        self._arguments: Iterator[tuple[Any, ...]] | None = arguments
        room = pool._max_pending or 1  # pyright: ignore[reportPrivateUsage]
        most = room + pool._max_workers
        self._ahead = most if buffersize is None else buffersize
        self._held: tuple[Any, ...] | None = None
        self._error: BaseException | None = None
        self.end_time = end_time
        self.flight: deque[Future[Any]] = deque()

    def fill(self, others: int = 0) -> None:
        """Submit calls; `others` are under way besides those in `flight`."""
        try:
            while self._arguments is not None and len(self.flight) + others < self._ahead:
                self._hold_next()
                if self._held is None or not self._submit_held(others):
                    return
        except Exception as error:
            self.stop()
            self._error = error

    def _hold_next(self) -> None:
        if self._held is None and self._arguments is not None:
            self._held = next(self._arguments, None)
            if self._held is None:
                self._arguments = None

    def _submit_held(self, others: int) -> bool:
        """False when there is no room, but something else to wait for."""
        args: tuple[Any, ...] = self._held or ()
        future: Future[Any] | None = self._pool.try_submit(self._fn, *args)
        if future is None:
            if self.flight or others:
                return False
            future = self._submit_in_time(args)
        self._held = None
        self.flight.append(future)
        return True

    def _submit_in_time(self, args: tuple[Any, ...]) -> Future[Any]:
        pool = self._pool
        policy = pool._when_full  # pyright: ignore[reportPrivateUsage]
        if self.end_time is None or policy != "block":
            return pool.submit(self._fn, *args)
        left = max(self.end_time - time.monotonic(), 0)
        future = pool._submit_in_time(left, self._fn, *args)
        if future is None:
            raise TimeoutError
        return future

    def stop(self) -> None:
        """Submit no more."""
        self._arguments = self._held = None

    def raise_error(self) -> None:
        """At the end: what has kept the reader from submitting the rest."""
        error, self._error = self._error, None
        if error is not None:
            raise error


def in_order(calls: Calls, take: Callable[[list[Future[T]], float | None], T]) -> Iterator[T]:
    flight = calls.flight
    try:
        while True:
            calls.fill()
            if not flight:
                break
            yield take([flight.popleft()], calls.end_time)
        calls.raise_error()
    finally:
        calls.stop()
        while flight:  # the last first: no worker finds one of them in between
            flight.pop().cancel()


def as_they_come(
    calls: Calls,
    take: Callable[[list[Future[T]], float | None], T],
    first_ended: Callable[[set[Future[T]], deque[Future[T]], float | None], Future[T]],
) -> Iterator[T]:
    ended: deque[Any] = deque()  # by callback: in the order in which the calls ended
    watched: set[Future[T]] = set()
    try:
        while True:
            calls.fill(len(watched))
            while calls.flight:
                watched.add(calls.flight[0])
                calls.flight.popleft().add_done_callback(ended.append)
            if not watched:
                break
            yield take([first_ended(watched, ended, calls.end_time)], calls.end_time)
        calls.raise_error()
    finally:
        calls.stop()
        for future in (*watched, *calls.flight):
            future.cancel()
