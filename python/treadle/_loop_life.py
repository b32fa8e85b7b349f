"""The life of an event loop from beginning to end on Python 3.10, which lacks `asyncio.Runner`."""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    from treadle.executors.thread import ThreadPoolExecutor

    T = TypeVar("T")


def run_until_complete(
    main: Coroutine[Any, Any, T],
    debug: bool | None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
    executor: ThreadPoolExecutor,
) -> T:
    """Run the coroutine in a new loop, and leave nothing of the loop behind."""
    if not asyncio.iscoroutine(main):
        msg = f"a coroutine was expected, got {main!r}"  # type: ignore[unreachable]
        raise ValueError(msg)
    loop = asyncio.new_event_loop() if loop_factory is None else loop_factory()
    try:
        asyncio.set_event_loop(loop)
        loop.set_default_executor(executor)
        if debug is not None:
            loop.set_debug(debug)
        return loop.run_until_complete(main)
    finally:
        # Also after Ctrl-C, which on this Python is raised in the middle of the loop.
        try:
            _cancel_tasks(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    if not left:
        return
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    for task in left:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during asyncio.run() shutdown",
                    "exception": error,
                    "task": task,
                }
            )
