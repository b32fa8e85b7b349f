"""The exceptions that treadle raises: the standard library's own, and what it has no word for."""

from __future__ import annotations

import builtins
import queue
from concurrent.futures import BrokenExecutor, CancelledError, InvalidStateError, TimeoutError
from concurrent.futures.thread import BrokenThreadPool

__all__ = [
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "DeadlineExceeded",
    "InvalidStateError",
    "QueueFull",
    "TimeoutError",
]


if TimeoutError is builtins.TimeoutError:

    class DeadlineExceeded(TimeoutError):
        """The deadline of a task passed before it started; it was not run."""

else:  # before Python 3.11

    class DeadlineExceeded(TimeoutError, builtins.TimeoutError):
        """The deadline of a task passed before it started; it was not run."""


class QueueFull(RuntimeError, queue.Full):
    """A call was refused, as many wait already as the pool's `max_pending` allows.

    Example::

        try:
            pool.submit(send, sample)
        except QueueFull:
            dropped += 1
    """
