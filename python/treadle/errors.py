"""The exceptions that treadle raises: the standard library's own, or heirs of them."""

from __future__ import annotations

import builtins
from concurrent.futures import BrokenExecutor, CancelledError, InvalidStateError, TimeoutError
from concurrent.futures.thread import BrokenThreadPool

__all__ = [
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "DeadlineExceeded",
    "InvalidStateError",
    "TimeoutError",
]


if TimeoutError is builtins.TimeoutError:

    class DeadlineExceeded(TimeoutError):
        """The deadline of a task passed before it started; it was not run."""

else:  # before Python 3.11

    class DeadlineExceeded(TimeoutError, builtins.TimeoutError):
        """The deadline of a task passed before it started; it was not run."""
