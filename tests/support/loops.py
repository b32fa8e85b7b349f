"""Event loops of every kind that is installed."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

KINDS = ["asyncio", "uvloop"]

each_loop = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(kind) is None, reason=f"{kind} is not installed"
            ),
        )
        for kind in KINDS
    ],
)


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes a loop of this kind."""
    if kind == "asyncio":
        return asyncio.new_event_loop
    uvloop: Any = pytest.importorskip("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def run_on(kind: str, main: Coroutine[Any, Any, T], *, debug: bool = False) -> T:
    """As `asyncio.run`, on a loop of this kind."""
    loop = loop_factory(kind)()
    loop.set_debug(debug)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
