"""Tracers that replace `submit` on the standard class, at work on our executors.

OpenTelemetry, Sentry and others wrap `concurrent.futures.ThreadPoolExecutor.submit`; their wrapper
changes the callable and calls the original, which knows nothing of our queue: it makes a standard
future and puts a work item into `executor._work_queue`.  Here that item becomes a native task, and
when the wrapper returns the standard future, our caller gets the native one in its place.  The
standard future stays in step with it, in case the wrapper has attached something to it.
"""

from __future__ import annotations

import concurrent.futures
import threading

# By its own name: `install` puts ours in the place where tracers found it.
from concurrent.futures import ThreadPoolExecutor as StandardThreadPoolExecutor

from treadle.errors import QueueFull
from treadle.executors._work_queue import call_of

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle._core import Place
    from treadle.executors.thread import ThreadPoolExecutor

_local = threading.local()


class _Adopted:
    """The last standard future of this thread that a native one stands behind."""

    standard: concurrent.futures.Future[Any] | None = None
    native: concurrent.futures.Future[Any] | None = None

    def __init__(self, submit: Callable[..., Any]) -> None:
        self.submit = submit


def submit(
    executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> concurrent.futures.Future[Any]:
    """Submit through whatever stands in the place of the standard `submit`."""
    return _submit_by(executor._submit_native, executor, fn, args, kwargs)


def try_submit(
    executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> concurrent.futures.Future[Any] | None:
    """The same for `try_submit`: a tool sees it fail when the queue is full."""
    try:
        return _submit_by(executor._try_submit_native, executor, fn, args, kwargs)
    except QueueFull:
        return None


def submit_in(
    place: Place, executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> concurrent.futures.Future[Any]:
    """The same for a call that has its place in the queue."""
    return _submit_by(place.submit, executor, fn, args, kwargs)


def _submit_by(
    native_submit: Callable[..., Any],
    executor: ThreadPoolExecutor,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> concurrent.futures.Future[Any]:
    outer = getattr(_local, "adopted", None)
    adopted = _local.adopted = _Adopted(native_submit)
    try:
        future = StandardThreadPoolExecutor.submit(executor, fn, *args, **kwargs)
    finally:
        _local.adopted = outer
    if adopted.native is not None and future is adopted.standard:
        return adopted.native
    return future


def accept(executor: ThreadPoolExecutor, item: Any) -> None:
    """Queue a work item that the standard `submit`, or a tool, has made."""
    adopted: _Adopted | None = getattr(_local, "adopted", None)
    if adopted is None:
        executor._put_item(item)
        return
    fn, args, kwargs = call_of(item)
    native = adopted.submit(fn, *args, **kwargs)
    if native is None:
        msg = "the queue is full"
        raise QueueFull(msg)
    adopted.standard, adopted.native = item.future, native
    native.add_done_callback(_Mirror(item.future))


class _Mirror:
    """Ends a standard future as the native one ended."""

    __slots__ = ("standard",)

    def __init__(self, standard: concurrent.futures.Future[Any]) -> None:
        self.standard = standard

    def __call__(self, native: concurrent.futures.Future[Any]) -> None:
        standard = self.standard
        if native.cancelled():
            standard.cancel()
            standard.set_running_or_notify_cancel()
        elif standard.set_running_or_notify_cancel():
            error = native.exception()
            if error is None:
                standard.set_result(native.result())
            else:
                standard.set_exception(error)
