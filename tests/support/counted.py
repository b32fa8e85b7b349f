"""Calls whose counts `statistics()` is asked for."""

from __future__ import annotations

import concurrent.futures.thread
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def fail(*_: Any) -> None:
    raise LookupError


def item_arguments(fn: Callable[..., Any] = int) -> tuple[Any, ...]:
    """What this Python's own work items are made of."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    parameters = inspect.signature(concurrent.futures.thread._WorkItem).parameters
    return (future, (fn, (), {})) if len(parameters) == 2 else (future, fn, (), {})
