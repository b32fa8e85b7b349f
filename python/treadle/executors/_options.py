"""`options` of the executors: views on the same pool, each with options for its tasks.

The views themselves are imported by the first call: most programmes have none.
"""

from __future__ import annotations

from treadle._core import View as NativeView

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from contextvars import Context
    from typing import Any

    from treadle.executors.view import View

__all__ = ["NOT_GIVEN", "WithOptions", "pool_of"]

NOT_GIVEN: Any = object()


def pool_of(executor: Any) -> Any:
    """The pool that a view is a view of; anything else itself."""
    is_view: bool = isinstance(executor, NativeView)  # what users see may not be imported yet
    return getattr(executor, "pool") if is_view else executor  # noqa: B009


class WithOptions:
    """Mixed into the executors."""

    __slots__ = ()

    def options(
        self,
        *,
        priority: int | None = NOT_GIVEN,
        deadline: float | None = NOT_GIVEN,
        timeout: float | None = NOT_GIVEN,
        name: str | None = NOT_GIVEN,
        context: Context | None = NOT_GIVEN,
        reserve: int | None = NOT_GIVEN,
        inherit: bool | None = NOT_GIVEN,
    ) -> View:
        """Return an executor that submits to this same pool, with options for each of its tasks.

        It goes wherever an executor goes. Views of views add their options; None takes one back.
        Its tasks go straight to the pool: a `submit` that a subclass overrides is not asked.

        Args:
            priority: The lowest runs first; tasks without one have priority 0.

            deadline: Seconds from its submission within which a task has to start: one that has not
                fails with DeadlineExceeded, at that moment. One that has is asked to stop then
                (`check_cancelled`). Among equal priorities the earliest deadline runs first.

            timeout: Seconds that a task may run; then it is asked to stop.

            name: What `current_task().name` and reports call the tasks.

            context: The context variables that the tasks see, instead of their submitter's; each
                task gets a copy.

            reserve: How many workers to keep for the tasks of this view, and of views on it. Others
                find the pool smaller by so many; these may use the rest as well, in their turn.
                `max_pending` holds for them and for the others separately. It ends with the view:
                by `shutdown`, by the end of its `with` block, or when nobody has it any more.

            inherit: Whether a task that is submitted from within another has the deadline of that
                one, too, and is asked to stop when that one is.

        Raises:
            TypeError: A priority or a number of workers that is no int, a time that is no number, a
                name that is no string, a context that is none, an `inherit` that is no bool.

            ValueError: A priority beyond 64 bits, a time that is not positive or not finite, or a
                reservation that leaves no worker for other tasks.

        Example::

            urgent = pool.options(priority=-10)
            page = await loop.run_in_executor(urgent, render, request)

            with pool.options(reserve=2, name="health") as checks:
                checks.submit(ping)  # starts at once, however long the queue is
        """
        from treadle.executors.view import open_view

        given = {
            "priority": priority,
            "deadline": deadline,
            "timeout": timeout,
            "name": name,
            "context": context,
            "reserve": reserve,
            "inherit": inherit,
        }
        return open_view(
            self, {option: value for option, value in given.items() if value is not NOT_GIVEN}
        )
