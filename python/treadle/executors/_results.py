"""The iterators of `map` and `map_unordered` where each call has a future.

Invariants:
 1. However an iterator ends, what has not started is cancelled.
 2. It does not keep the executor: when nobody else does, no further call is submitted.
 3. It keeps no result that was handed out.
"""

from __future__ import annotations

import time
from collections import deque

from treadle.errors import TimeoutError
from treadle.futures import FIRST_COMPLETED, wait

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar
    from weakref import ref

    from treadle._core import Future

    T = TypeVar("T")

__all__ = ["as_they_come", "check_buffersize", "first_ended", "in_order", "take"]


def check_buffersize(buffersize: object) -> None:
    if buffersize is not None and not isinstance(buffersize, int):
        msg = "buffersize must be an integer or None"
        raise TypeError(msg)
    if buffersize is not None and buffersize < 1:
        msg = "buffersize must be None or > 0"
        raise ValueError(msg)


def _next_call(
    executor: ref[Any],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
) -> None:
    """Submit one more call, as long as there are some and somebody still has the executor."""
    if calls is None or (pool := executor()) is None:
        return
    args = next(calls, None)
    if args is not None:
        futures.append(pool.submit(fn, *args))


def take(future: list[Future[T]], end_time: float | None) -> T:
    """The result of the one future in the list, which is taken out and cancelled in the end."""
    taken = future.pop()
    try:
        return taken.result(None if end_time is None else end_time - time.monotonic())
    finally:
        taken.cancel()
        del taken  # the exception's traceback would keep it, and it keeps the exception


def in_order(
    executor: ref[Any],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
    end_time: float | None,
) -> Iterator[T]:
    try:
        while futures:
            _next_call(executor, fn, calls, futures)
            yield take([futures.popleft()], end_time)
    finally:
        for future in futures:
            future.cancel()


def as_they_come(
    executor: ref[Any],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
    end_time: float | None,
) -> Iterator[T]:
    ended: deque[Any] = deque()  # by callback: in the order in which the calls ended
    watched: set[Future[T]] = set()
    try:
        while True:
            while futures:
                watched.add(futures[0])
                futures.popleft().add_done_callback(ended.append)
            if not watched:
                return
            first = [first_ended(watched, ended, end_time)]
            _next_call(executor, fn, calls, futures)
            yield take(first, end_time)
    finally:
        for future in (*watched, *futures):
            future.cancel()


def first_ended(
    watched: set[Future[T]], ended: deque[Future[T]], end_time: float | None
) -> Future[T]:
    """Wait for one of the watched futures, and take it from them."""
    while True:
        while ended:
            future = ended.popleft()
            if future in watched:
                watched.remove(future)
                return future
        timeout = None if end_time is None else end_time - time.monotonic()
        done = wait(watched, timeout, FIRST_COMPLETED).done
        if not done:
            raise TimeoutError
        if not ended:  # it wakes waiters first and calls back then
            future = done.pop()
            watched.remove(future)
            return future
