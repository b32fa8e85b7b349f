"""PriorityExecutor: a thread pool whose tasks run in the order of their priorities."""

from __future__ import annotations

from treadle._core import PriorityExecutor as NativePriorityExecutor
from treadle.executors._seconds import check_seconds
from treadle.executors.thread import ThreadPoolExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle._core import Future

__all__ = ["PriorityExecutor"]


class PriorityExecutor(NativePriorityExecutor, ThreadPoolExecutor):
    """A `ThreadPoolExecutor` that runs the task with the lowest priority first.

    `submit(priority, fn, *args)` when the first argument is an int, `submit(fn, *args)` at priority
    0 otherwise. Tasks of equal priority run in the order of their submission, always. What runs is
    not interrupted.

    Args:
        max_workers: The most threads that run calls; None for the standard library's default.

        thread_name_prefix: What the threads' names begin with.

        initializer: A callable that each worker calls first; when it raises, the pool is broken.

        initargs: The initializer's arguments.

        workers: Another word for `max_workers`.

        aging: After so many seconds a waiting task has gained one level on those that are submitted
            now, so that none waits for ever; None: a flood of urgent tasks may hold others up as
            long as it lasts.

        **options: What `ThreadPoolExecutor` takes besides.

    Raises:
        ValueError: `max_workers` or `aging` is not positive, or `aging` is not finite.

        TypeError: Both `max_workers` and `workers` are given, or `initializer` is not callable.

    Example::

        with PriorityExecutor(workers=4, aging=10) as pool:
            pool.submit(5, compress, path)
            page = pool.submit(-1, render, request)  # overtakes what waits
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        workers: int | None = None,
        aging: float | None = None,
        **options: Any,
    ) -> None:
        if workers is not None:
            if max_workers is not None:
                msg = f"give max_workers={max_workers} or workers={workers}, not both"
                raise TypeError(msg)
            max_workers = workers
        check_seconds(aging, "aging")
        super().__init__(max_workers, thread_name_prefix, initializer, initargs, **options)
        self._rank_all(aging)

    def reprioritize(self, future: Future[Any], priority: int) -> bool:
        """Give a task that waits another priority; it goes behind those that have it already.

        Args:
            future: What `submit` of this executor has given.

            priority: The new priority; with aging, as if the task were submitted now.

        Returns:
            False when the task has started, has ended or was cancelled.

        Raises:
            TypeError: `priority` is not an int.

            ValueError: The future is not one of this executor.

        Example::

            if user_waits:
                pool.reprioritize(future, -10)
        """
        return self._move(future, priority)
