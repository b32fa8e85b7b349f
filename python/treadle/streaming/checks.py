"""What `stream`, `iterate` and `AsyncThreadExecutor` refuse before anything is queued."""

from __future__ import annotations

from treadle.coroutine_functions import refuse_coroutine_function

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

__all__ = ["check_function", "check_seconds", "check_size"]


def check_function(fn: Any, method: str) -> None:
    """Refuse what a worker thread cannot call to any effect."""
    if not callable(fn):
        msg = f"{method} needs a callable, not {type(fn).__name__!r}"
        raise TypeError(msg)
    refuse_coroutine_function(fn, method)


def check_size(size: Any, name: str, *, optional: bool) -> None:
    """Refuse a number of items that is no positive integer."""
    if size is None and optional:
        return
    allowed = "a positive integer or None" if optional else "a positive integer"
    if not isinstance(size, int):
        msg = f"{name} must be {allowed}, not {size!r}"
        raise TypeError(msg)
    if size < 1:
        msg = f"{name} must be {allowed}, not {size}"
        raise ValueError(msg)


def check_seconds(timeout: Any) -> None:
    """Refuse a timeout that is no positive finite number of seconds."""
    if timeout is None:
        return
    msg = f"timeout must be a positive, finite number of seconds or None, not {timeout!r}"
    if isinstance(timeout, bool) or not hasattr(timeout, "__float__"):
        raise TypeError(msg)
    if not 0 < float(timeout) < float("inf"):
        raise ValueError(msg)
