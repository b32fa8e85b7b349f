"""What `stream`, `iterate` and `AsyncThreadExecutor` refuse before anything is queued."""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

__all__ = ["check_function", "check_seconds", "check_size"]

_COROUTINE = 0x80  # inspect.CO_COROUTINE; importing it costs more than this package
_ASYNC_GENERATOR = 0x200  # inspect.CO_ASYNC_GENERATOR


def check_function(fn: Any, method: str) -> None:
    """Refuse what a worker thread cannot call to any effect."""
    if not callable(fn):
        msg = f"{method}() needs a callable, not {type(fn).__name__!r}"
        raise TypeError(msg)
    flags = _code_flags(fn)
    name = getattr(fn, "__qualname__", repr(fn))
    if flags & _COROUTINE:
        msg = (
            f"{method}() calls its function in a worker thread, and {name} is a coroutine function:"
            " await it in the event loop, or give a plain function"
        )
        raise TypeError(msg)
    if flags & _ASYNC_GENERATOR:
        msg = (
            f"{method}() calls its function in a worker thread, and {name} is an async generator"
            " function: read it with 'async for' in the event loop, or give a plain function"
        )
        raise TypeError(msg)


def _code_flags(fn: Any) -> int:
    while isinstance(fn, functools.partial):
        fn = fn.func
    fn = getattr(fn, "__func__", fn)
    code = getattr(fn, "__code__", None)
    if code is None and not isinstance(fn, type):
        kind: Any = fn.__class__
        call = getattr(kind, "__call__", None)  # noqa: B004  # its code, not whether it is one
        code = getattr(call, "__code__", None)
    flags: int = getattr(code, "co_flags", 0)
    return flags


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
