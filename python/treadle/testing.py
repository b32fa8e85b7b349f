"""Executors for tests: nothing happens before it is told to.

Thread safety: tasks run in the thread that tells them to; anything else may come from any thread.
"""

from __future__ import annotations

from treadle._core import ManualExecutor as NativeManualExecutor
from treadle.executors import _shutdown
from treadle.executors._seconds import MOST
from treadle.executors.priority import PriorityExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ManualExecutor"]

_FOR_THREADS = (
    "max_workers",
    "workers",
    "thread_name_prefix",
    "initializer",
    "initargs",
    "min_workers",
    "keep_alive",
    "daemon",
)


class ManualExecutor(NativeManualExecutor, PriorityExecutor):
    """A `PriorityExecutor` without threads and with a clock that stands still.

    Tasks run when the test says so, one by one, in the order in which one worker would run them;
    deadlines, time limits and aging follow the test's own clock. So a test of code that takes an
    executor needs no sleep, and gives the same result each time.

    Args:
        **options: What `PriorityExecutor` takes, but for threads: `aging`, `propagate_context`, …

    Raises:
        TypeError: An option is for threads: there are none.

    Example::

        pool = ManualExecutor()
        future = pool.options(deadline=5).submit(fetch, url)
        pool.advance(6)
        assert isinstance(future.exception(), DeadlineExceeded)
    """

    def __init__(self, **options: Any) -> None:
        for_threads = [option for option in _FOR_THREADS if option in options]
        if for_threads:
            msg = f"ManualExecutor has no threads: it does not take {', '.join(for_threads)}"
            raise TypeError(msg)
        super().__init__(1, "manual", **options)
        self._run_by_hand()
        self._now = 0.0

    @property
    def now(self) -> float:
        """Seconds that have passed by `advance`."""
        return self._now

    @property
    def pending(self) -> int:
        """How many tasks wait."""
        return self._queue_size()

    def run_one(self) -> bool:
        """Run the task that is next, in this thread.

        Returns:
            False when none waits.

        Example::

            assert pool.run_one()
        """
        return self._run_one()

    def run_all(self) -> int:
        """Run tasks until none waits, also those that are submitted meanwhile.

        Returns:
            How many have run.

        Example::

            assert pool.run_all() == 3
        """
        ran = 0
        while self._run_one():
            ran += 1
        return ran

    def advance(self, seconds: float) -> None:
        """Let time pass: queued tasks whose deadline passes fail, running ones are asked to stop.

        Nothing runs.

        Args:
            seconds: How much time passes; what is due on the way happens in its order.

        Raises:
            ValueError: Time would go backwards, or never end.

            TypeError: `seconds` is no number.

        Example::

            pool.advance(0.5)
        """
        if isinstance(seconds, bool) or not hasattr(seconds, "__float__"):
            msg = f"time is advanced by a number of seconds, not {seconds!r}"
            raise TypeError(msg)
        if not 0 <= seconds <= MOST - self._now:
            msg = f"time can be advanced by 0 seconds or more, up to {MOST:g}, not {seconds!r}"
            raise ValueError(msg)
        self._now += float(seconds)
        self._advance(seconds)

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> None:
        """As the other executors': `wait` runs what waits, where they have threads for it."""
        _shutdown.check_timeout(timeout, wait=wait)  # time does not pass meanwhile
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            self._run_what_waits()

    async def aclose(self, *, cancel_futures: bool = False, timeout: float | None = None) -> None:
        """As `shutdown`: what waits runs now."""
        self.shutdown(cancel_futures=cancel_futures, timeout=timeout)

    def _run_what_waits(self) -> None:
        self.run_all()
