"""A time limit for an await, kept by the event loop's own clock: no thread waits for it."""

from __future__ import annotations

import sys

from treadle.streaming.asyncio_loop import running_loop
from treadle.streaming.bell import Bell

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

__all__ = ["wait_in_time"]


async def wait_in_time(future: Future[Any], seconds: float) -> None:
    """Wait until the future is done; raise TimeoutError when it is not within the time.

    The future itself is left alone, then as well as when the waiter is cancelled.
    """
    if future.done():
        return
    loop = running_loop()
    bell = Bell()
    waiting = bell.arm()
    future.add_done_callback(bell.ring)
    if loop is None:
        trio: Any = sys.modules.get("trio")
        if trio is None:
            msg = "a timeout needs a running event loop of asyncio or trio"
            raise RuntimeError(msg)
        with trio.move_on_after(seconds):
            await waiting
    else:
        timer = loop.call_later(seconds, bell.ring)
        try:
            await waiting
        finally:
            timer.cancel()
    if not future.done():
        raise _timeout_error()


def _timeout_error() -> BaseException:
    """The error that `asyncio.wait_for` raises: before 3.11 a class of its own."""
    if sys.version_info >= (3, 11):
        return TimeoutError()
    import asyncio

    return asyncio.TimeoutError()
