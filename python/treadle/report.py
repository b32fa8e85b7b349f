"""``--report``: what the pools of a programme did, told on stderr when it ends.

Only then is anything measured: workers tell of each call, when it has ended.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from array import array
from contextvars import Context

from treadle import _core

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BUSIEST = 10
"""How many functions are listed."""


class Function:
    """What the calls of one function cost together."""

    __slots__ = ("calls", "name", "seconds")

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0
        self.seconds = 0.0


class Measurements:
    """Every call that has ended.

    Thread safety: workers add, one at a time, under a lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waits = array("d")
        self.functions: dict[str, Function] = {}

    def add(self, name: str, wait: float, seconds: float) -> None:
        with self._lock:
            self.waits.append(wait)
            function = self.functions.setdefault(name, Function(name))
            function.calls += 1
            function.seconds += seconds

    def lines(self) -> Iterator[str]:
        """The report."""
        with self._lock:
            waits = sorted(self.waits)
            functions = sorted(self.functions.values(), key=lambda one: -one.seconds)
        yield f"treadle: {len(waits)} task{'s' * (len(waits) != 1)} run"
        if not waits:
            return
        p99 = waits[-(-99 * len(waits) // 100) - 1]  # 99 of 100 waited no longer
        yield f"wait in the queue: mean {duration(sum(waits) / len(waits))}, p99 {duration(p99)}"
        yield "busiest functions:"
        yield f"{'total':>12} {'mean':>12} {'calls':>9}  function"
        for one in functions[:BUSIEST]:
            total, mean = duration(one.seconds), duration(one.seconds / one.calls)
            yield f"{total:>12} {mean:>12} {one.calls:>9}  {one.name}"
        if len(functions) > BUSIEST:
            yield f"and {len(functions) - BUSIEST} more"


def start() -> Measurements:
    """Measure the pools that this process makes from now on, and report at its exit."""
    measurements = Measurements()

    def ended(fn: Any, first: Any, wait: float, seconds: float) -> None:
        if callable(fn):
            # A generator of `iterate` is what runs there.
            known = first if getattr(fn, "__qualname__", "") == "Belt.produce" else fn
            measurements.add(name_of(known), wait, seconds)

    _core._report_calls(ended)  # pyright: ignore[reportPrivateUsage]
    atexit.register(tell, measurements, os.getpid())
    return measurements


def tell(measurements: Measurements, process: int) -> None:
    """Print the report, but not in a fork of the process that it is about."""
    if os.getpid() == process and sys.stderr is not None:
        print("\n".join(measurements.lines()), file=sys.stderr)


def name_of(fn: Any) -> str:
    """The function's module and name, also when others have wrapped it on its way here."""
    while isinstance(fn, functools.partial):
        # asyncio.to_thread submits partial(context.run, function, ...)
        is_run = fn.args and isinstance(getattr(fn.func, "__self__", None), Context)
        fn = fn.args[0] if is_run else fn.func
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None) or type(fn).__module__
    return name if module in {"builtins", None} else f"{module}.{name}"


def duration(seconds: float) -> str:
    """Three digits in a fitting unit."""
    if seconds >= 1000:
        return f"{seconds:.0f} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"
