"""Functions that need no thread, and would do nothing in one."""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

COROUTINE = 0x80 | 0x100  # inspect's CO_COROUTINE and CO_ITERABLE_COROUTINE
ASYNC_GENERATOR = 0x200  # CO_ASYNC_GENERATOR
CODE = type((lambda: None).__code__)


def refuse_coroutine_function(fn: Any, user: str) -> None:
    """Raise TypeError if a call of `fn` gives something to await or to iterate asynchronously.

    `inspect` would know a few more, but importing it costs more than many a programme's start, and
    asking it more than a task.
    """
    called = _innermost(fn)
    flags = _code_flags(called)
    if not flags & (COROUTINE | ASYNC_GENERATOR):
        return
    name = getattr(called, "__qualname__", None) or repr(called)
    if flags & COROUTINE:
        kind, instead = "a coroutine function", "await its call itself, without a thread"
    else:
        kind, instead = "an async generator function", "read it with 'async for', without a thread"
    msg = f"{user} is for blocking functions, and {name} is {kind}: {instead}"
    raise TypeError(msg)


def _innermost(fn: Any) -> object:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn  # pyright: ignore[reportUnknownVariableType]


def _code_flags(called: object) -> int:
    code: Any = getattr(called, "__code__", None)
    if code is None and not isinstance(called, type):  # perhaps an object with `async __call__`
        code = getattr(getattr(type(called), "__call__", None), "__code__", None)  # noqa: B004
    # Proxies answer to every name: with something that is no code.
    flags: int = code.co_flags if type(code) is CODE else 0  # pyright: ignore
    return flags
