"""The exceptions that treadle raises: the standard library's own, and what it has no word for."""

from __future__ import annotations

import queue
from concurrent.futures import BrokenExecutor, CancelledError, InvalidStateError, TimeoutError
from concurrent.futures.thread import BrokenThreadPool

__all__ = [
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "InvalidStateError",
    "QueueFull",
    "TimeoutError",
]


class QueueFull(RuntimeError, queue.Full):
    """A call was refused, as many wait already as the pool's `max_pending` allows.

    Example::

        try:
            pool.submit(send, sample)
        except QueueFull:
            dropped += 1
    """
