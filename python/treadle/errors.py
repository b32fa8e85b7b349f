"""The exceptions that treadle raises: the standard library's own."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, CancelledError, InvalidStateError, TimeoutError
from concurrent.futures.thread import BrokenThreadPool

__all__ = [
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "InvalidStateError",
    "TimeoutError",
]
