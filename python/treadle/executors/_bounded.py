"""What thread pools offer for a queue with a bound: its checks, and `submit_async`."""

from __future__ import annotations

import operator
import sys
from types import BuiltinMethodType

from treadle.executors import _standard_submit

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from treadle._core import Future

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["Bounded", "check_bound", "submits_natively"]

_POLICIES = ("block", "raise", "run", "drop_oldest")


def check_bound(max_pending: Any, when_full: Any) -> int | None:
    """Refuse what is no bound, or no policy; give what the native pool takes for the first."""
    bound = None
    if max_pending is not None:
        allowed = "max_pending must be a positive integer or None"
        if not hasattr(max_pending, "__index__") or isinstance(max_pending, bool):
            msg = f"{allowed}, not {max_pending!r}"
            raise TypeError(msg)
        bound = operator.index(max_pending)
        if bound < 1:
            msg = f"{allowed}, not {bound}: a task waits in the queue until a worker takes it"
            raise ValueError(msg)
    if not isinstance(when_full, str):
        msg = f"when_full must be a string, one of {', '.join(_POLICIES)}, not {when_full!r}"
        raise TypeError(msg)
    if when_full not in _POLICIES:
        msg = f"when_full must be one of {', '.join(_POLICIES)}, not {when_full!r}"
        raise ValueError(msg)
    # More than memory can hold is as good as any number.
    return None if bound is None else min(bound, sys.maxsize)


def submits_natively(executor: Any) -> bool:
    """Whether nobody has overridden or replaced `submit`: `try_submit` may stand in for it."""
    submit = executor.submit
    return isinstance(submit, BuiltinMethodType) and not executor._submit_was_replaced()


class Bounded:
    """Mixed into the executors: a submit that an event loop awaits."""

    __slots__ = ()

    async def submit_async(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Wait for room in the queue without blocking the event loop; submit then.

        It waits whatever `when_full` says, in turn with everybody else who waits for room.  A
        waiter that is cancelled has queued nothing.  Without `max_pending` there is always room.

        Args:
            fn: A callable.

            *args: Its arguments.

            **kwargs: Its keyword arguments.

        Returns:
            The call's Future, which may be awaited as well; not the call's result.

        Raises:
            RuntimeError: The pool was shut down, also while this waited.

            TypeError: `fn` is a coroutine function.

        Example::

            future = await pool.submit_async(write, chunk)
        """
        pool: Any = self
        # A native attempt: tools that have replaced `submit` shall see the call once.
        traced = pool._submit_was_replaced()
        future: Future[T] | None = None if traced else pool.try_submit(fn, *args, **kwargs)
        if future is not None:
            return future
        while True:
            place, ready = pool._ask_for_place()
            if place is None:  # there is no bound
                return pool.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]
            try:
                if ready is None or (await ready and place.is_kept()):
                    if traced:
                        return _standard_submit.submit_in(place, pool, fn, *args, **kwargs)  # type: ignore[return-value]
                    return place.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]
            finally:
                place.leave()
