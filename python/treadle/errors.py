"""The exceptions that treadle raises: the standard library's own, and those that inherit them."""

from __future__ import annotations

import builtins
import queue
import sys
from concurrent.futures import BrokenExecutor, CancelledError, InvalidStateError, TimeoutError
from concurrent.futures.thread import BrokenThreadPool

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from treadle.running_task import RunningTask

__all__ = [
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "DeadlineExceeded",
    "InvalidStateError",
    "QueueFull",
    "ShutdownTimeout",
    "TimeoutError",
]

if sys.version_info >= (3, 11):

    class _AnyTimeout(TimeoutError):
        """Caught by whatever name for a timeout the code around knows."""

else:

    class _AnyTimeout(TimeoutError, builtins.TimeoutError):
        """Caught by whatever name for a timeout the code around knows."""


class DeadlineExceeded(_AnyTimeout):
    """The deadline of a task passed before it started; it was not run."""


class QueueFull(RuntimeError, queue.Full):
    """A call was refused, as many wait already as the pool's `max_pending` allows.

    Example::

        try:
            pool.submit(send, sample)
        except QueueFull:
            dropped += 1
    """


class ShutdownTimeout(_AnyTimeout):
    """The time that a shutdown was given is up, and tasks still run.

    The pool takes no more calls; what runs goes on, and a later `shutdown` waits for it.

    Args:
        message: What is reported; it names the tasks.

        tasks: The tasks that still run, the longest-running first.

    Example::

        try:
            pool.shutdown(timeout=10, cancel_futures=True)
        except ShutdownTimeout as late:
            for task in late.tasks:
                print(task.name, task.thread.name, *task.stack())
    """

    tasks: tuple[RunningTask, ...]

    def __init__(self, message: str, tasks: tuple[RunningTask, ...] = ()) -> None:
        super().__init__(message)
        self.tasks = tasks
