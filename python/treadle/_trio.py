"""`await future` on trio; imported when trio runs.

Thread safety: `wait` belongs to one task of trio; the future may end in any thread.

Invariant: the task is rescheduled once, by trio's own thread, whatever comes first: the future's
end or the cancellation of the task.
"""

from __future__ import annotations

import contextlib
import sys

import trio

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from treadle._core import Future

    T = TypeVar("T")


def is_running() -> bool:
    """Whether the caller is a task of trio's, and not asyncio code inside of one."""
    if not trio.lowlevel.in_trio_task():
        return False
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None and sniffio.current_async_library() != "trio":
        return False  # trio-asyncio
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return True
    task = asyncio.current_task()
    return task is None or not _is_inside(task.get_coro(), trio.lowlevel.current_task().coro)


def _is_inside(coroutine: Any, outer: Any) -> bool:
    """Which of two coroutines that both run has been entered later, and runs the caller."""
    inner_frame, outer_frame = (getattr(one, "cr_frame", None) for one in (coroutine, outer))
    frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame is not outer_frame:
        if frame is inner_frame:
            return True
        frame = frame.f_back
    return False


async def wait(future: Future[T]) -> T:
    """The future's result, or its exception; a cancelled wait cancels the future, too."""
    waiter = Waiter(future)
    future.add_done_callback(waiter.report)
    try:
        await trio.lowlevel.wait_task_rescheduled(waiter.abort)
    finally:
        if waiter.error is not None:
            raise waiter.error
    return future.result()


class Waiter:
    """A task that sleeps until a future has ended."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future
        self._task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._waits = True
        self.error: BaseException | None = None  # of a callback, that trio's own code must not see

    def report(self, _: object) -> None:
        """The future has ended, in whichever thread this is."""
        # RunFinishedError: trio is over, and nobody waits any more.
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        if self._waits:
            self._waits = False
            trio.lowlevel.reschedule(self._task)

    def abort(self, _: object) -> trio.lowlevel.Abort:
        """The task is cancelled."""
        self._waits = False
        try:
            self._future.cancel()
        except BaseException as error:
            self.error = error
        return trio.lowlevel.Abort.SUCCEEDED
