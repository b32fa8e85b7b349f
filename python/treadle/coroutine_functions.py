"""Functions that need no thread, and would do nothing in one."""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

ASYNCHRONOUS = 0x80 | 0x100 | 0x200  # CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR


def refuse_coroutine_function(fn: Any, user: str) -> None:
    """Raise TypeError if a call of `fn` gives something to await or to iterate asynchronously.

    `inspect` would know a few more, but importing it costs more than many a programme's start, and
    asking it more than a task.
    """
    called = _innermost(fn)
    code: Any = getattr(called, "__code__", None)
    if code is None:  # neither a function nor a method: perhaps an object with `async __call__`
        code = getattr(getattr(type(called), "__call__", None), "__code__", None)  # noqa: B004
    if code is not None and code.co_flags & ASYNCHRONOUS:
        name = getattr(called, "__qualname__", None) or repr(called)
        msg = (
            f"{user} is for blocking functions, and {name} is a coroutine function: "
            "await its call itself, without a thread"
        )
        raise TypeError(msg)


def _innermost(fn: Any) -> object:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn  # pyright: ignore[reportUnknownVariableType]
