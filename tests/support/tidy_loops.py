"""Event loops to run a coroutine on: asyncio's, and uvloop's where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]
"""What `run_on` takes."""


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """A loop that the caller closes."""
    loop: asyncio.AbstractEventLoop = importlib.import_module(name).new_event_loop()
    return loop


def run_on(name: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Runs the coroutine on a new loop; no task may be left in the end, and no complaint."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        result = await main
        for _ in range(5):  # what was cancelled ends
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    loop = new_loop(name)
    try:
        result = loop.run_until_complete(watched())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    assert complaints == []
    return result


async def until(condition: Callable[[], Any]) -> None:
    """Lets the loop turn until the condition comes true; the test's own limit ends it."""
    for _ in itertools.count():
        if condition():
            return
        await asyncio.sleep(0)
