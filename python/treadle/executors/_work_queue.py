"""`executor._work_queue`: the queue that users of the standard executor know, as a view.

Monitoring reads its length, tools take items out or put some in, and the standard library's own
`submit`, when a tracer calls it on one of our executors, puts its work item here.
"""

from __future__ import annotations

import queue
import time
import weakref

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from treadle._core import Executor


class WorkItem:
    """A queued call that was taken out: whoever has it runs it, or lets it be.

    The native half makes them.
    """

    __slots__ = ("args", "fn", "future", "kwargs")

    def __init__(
        self, future: Future[Any], fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.future = future
        self.fn = fn
        self.args = args
        self.kwargs = kwargs

    @property
    def task(self) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The call in the form that Python 3.14 gives it."""
        return self.fn, self.args, self.kwargs

    def run(self, _context: object = None) -> None:
        """Make the call here and now."""
        run_work_item(self)


def call_of(item: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The call of a work item, ours or the standard library's of any version."""
    if hasattr(item, "fn"):
        return item.fn, item.args, item.kwargs
    fn, args, kwargs = item.task
    return fn, args, kwargs


def run_work_item(item: Any) -> bool | None:
    """Run a work item of any kind, as a worker does; tell whether it gave a result.

    None when it was cancelled before.
    """
    if not item.future.set_running_or_notify_cancel():
        return None
    try:
        fn, args, kwargs = call_of(item)
        result = fn(*args, **kwargs)
    except BaseException as error:
        item.future.set_exception(error)
        item = None  # the traceback holds this frame, and this frame would hold the item
        return False
    item.future.set_result(result)
    return True


class WorkQueueView:
    """The interface of `queue.SimpleQueue` over an executor's native queue."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Executor) -> None:
        self._executor = weakref.ref(executor)

    def _native(self) -> Executor | None:
        return self._executor()

    def qsize(self) -> int:
        """The number of queued calls; those cancelled count until a worker meets them."""
        executor = self._native()
        return 0 if executor is None else executor._queue_size()

    def empty(self) -> bool:
        """Tell whether no call is queued."""
        return self.qsize() == 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Queue a work item; None, which wakes the standard library's workers, does nothing."""
        executor = self._native()
        if item is None or executor is None:
            return
        executor._accept_item(item)  # type: ignore[attr-defined]

    put_nowait = put

    def get_nowait(self) -> Any:
        """Take the oldest queued call out; its future is the caller's to finish."""
        executor = self._native()
        item = None if executor is None else executor._take_item()
        if item is None:
            raise queue.Empty
        return item

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As `get_nowait`, but look again until the time is up.

        The queue wakes workers, not its view: this is for tools, and polls.
        """
        if timeout is not None and timeout < 0:
            msg = "'timeout' must be a non-negative number"
            raise ValueError(msg)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self.get_nowait()
            except queue.Empty:
                if not block or (end is not None and time.monotonic() >= end):
                    raise
            time.sleep(0.001)
