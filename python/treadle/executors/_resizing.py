"""How many threads a pool has: the checks of its sizes, and `resize`."""

from __future__ import annotations

import contextlib
import operator
import sys

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any

    from treadle._core import Executor

__all__ = ["Resizing", "check_count", "check_keep_alive"]


class Resizing:
    """Mixed into `ThreadPoolExecutor`: its size may change while it works."""

    __slots__ = ()

    def resize(self: Executor, max_workers: int) -> None:  # type: ignore[misc]
        """Have at most so many threads from now on, and return at once.

        Calls that wait in the queue get the threads that are added.  Of those that are too many,
        the idle ones leave now, those that have slept longest first, and the others when their call
        ends.  A pool that is smaller than its `min_workers` has fewer than these.

        Args:
            max_workers: The most threads that run calls.

        Raises:
            ValueError: `max_workers` is not positive.

            TypeError: `max_workers` is no integer.

            RuntimeError: The pool was shut down, or is broken.

        Example::

            pool.resize(2 * os.cpu_count())
        """
        self._resize(check_count(max_workers, "max_workers", 1))

    if not TYPE_CHECKING:  # type checkers know it as an attribute of the standard library's class

        @property
        def _max_workers(self) -> int:
            return self._size()

        @_max_workers.setter
        def _max_workers(self, max_workers: int) -> None:
            """Resize, for programmes that assign to the standard library's attribute.

            It has the same effect there, and none before `__init__` or after `shutdown`.
            """
            number = check_count(max_workers, "max_workers", 1)
            with contextlib.suppress(RuntimeError):
                self._resize(number)


def check_keep_alive(keep_alive: Any, min_workers: Any, max_workers: int) -> tuple[float, int]:
    """What the native pool takes for the two: seconds, of which 0 is for ever, and a count."""
    least = 0 if min_workers is None else check_count(min_workers, "min_workers", 0)
    if least > max_workers:
        msg = f"min_workers must not be greater than max_workers ({max_workers}), got {least}"
        raise ValueError(msg)
    if keep_alive is None:
        return 0.0, least
    allowed = "keep_alive must be a positive, finite number of seconds or None"
    if isinstance(keep_alive, (bool, str)) or not hasattr(keep_alive, "__float__"):
        msg = f"{allowed}, not {keep_alive!r}"
        raise TypeError(msg)
    try:
        seconds = float(keep_alive)
    except (OverflowError, ValueError):  # an integer beyond all floats; a signaling NaN
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        msg = f"{allowed}, got {keep_alive!r}"
        raise ValueError(msg)
    return seconds, least


def check_count(count: Any, name: str, least: int) -> int:
    allowed = f"{name} must be {'a positive integer' if least else 'an integer of at least 0'}"
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        msg = f"{allowed}, not {count!r}"
        raise TypeError(msg)
    number = operator.index(count)
    if number < least:
        msg = f"{allowed}, got {number}"
        raise ValueError(msg)
    return min(number, sys.maxsize)  # more than memory can hold: as good as any number
