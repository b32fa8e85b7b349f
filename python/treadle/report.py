"""``--report``: what the pools of a programme did, told on stderr when it ends.

Only then is anything measured: `start` wraps `submit`, which all other ways into a pool go through
as soon as it is not the native one.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import sys
import threading
import time
from array import array
from contextvars import Context

from treadle.coroutine_functions import refuse_coroutine_function
from treadle.executors.thread import ThreadPoolExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from treadle._core import Future

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


class Call:
    """One call on its way through a pool.

    No frame of ours may be in the traceback of what it raises, so none calls the function: the
    native `starmap` does, and the generator that gives it the arguments sees when it begins.
    """

    __slots__ = ("args", "fn", "measurements", "started", "submitted")

    def __init__(self, measurements: Measurements, fn: Callable[..., Any], args: Any) -> None:
        self.measurements = measurements
        self.fn = fn
        self.args = args
        self.started: float | None = None
        self.submitted = time.perf_counter()

    def arguments(self) -> Iterator[tuple[Any, ...]]:
        args, self.args = self.args, ()  # the worker must not keep them alive
        self.started = time.perf_counter()
        yield args

    def ended(self, _: object) -> None:
        if self.started is not None:  # it was not cancelled
            wait, seconds = self.started - self.submitted, time.perf_counter() - self.started
            self.measurements.add(name_of(self.fn), wait, seconds)


def start() -> Measurements:
    """Measure all pools of this process from now on, and report at its exit."""
    measurements = Measurements()
    pool_type: Any = ThreadPoolExecutor
    original = pool_type.submit

    @functools.wraps(original)
    def submit(pool: ThreadPoolExecutor, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not callable(fn):
            return original(pool, fn, *args, **kwargs)  # type: ignore[no-any-return]
        refuse_coroutine_function(fn, "submit")
        # A generator of `iterate` is what runs there.
        known = args[0] if getattr(fn, "__qualname__", "") == "Belt.produce" else fn
        call = Call(measurements, known, args)
        called = functools.partial(fn, **kwargs) if kwargs else fn
        future: Future[Any] = original(pool, next, itertools.starmap(called, call.arguments()))
        future.add_done_callback(call.ended)
        return future

    pool_type.submit = submit
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
