"""Whether objects die when they must."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from typing import TYPE_CHECKING, Any

from support.waiting import LIMIT

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterator

FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()


class Thing:
    """An ordinary object that can be weakly referenced."""


def eventually_dead(reference: weakref.ref[Any], limit: float = LIMIT) -> bool:
    """Whether the object goes away, with the help of the garbage collector."""
    deadline = time.monotonic() + limit
    while reference() is not None:
        if time.monotonic() > deadline:
            return False
        gc.collect()
        time.sleep(0.001)
    return True


def dies_uncollected(reference: weakref.ref[Any], limit: float = LIMIT) -> bool:
    """Whether the object goes away by its reference count alone: it is in no cycle.

    Without the GIL an object released by another thread than its maker's may have to wait for a
    collection, so there this is `eventually_dead`.
    """
    if FREE_THREADED:
        return eventually_dead(reference, limit)
    deadline = time.monotonic() + limit
    while reference() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keeps the garbage collector from running by itself."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
