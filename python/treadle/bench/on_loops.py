"""Rounds that run on an event loop: made and closed outside of the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from time import perf_counter
from typing import Any

from treadle.bench.rivals import Pool
from treadle.bench.workload import Lab, Round, Unavailable

Work = Callable[[int], Awaitable[object]]
"""What is timed: does so many tasks on the running loop."""


def optional(module: str) -> Any:
    """A module that this workload cannot do without; Unavailable where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        message = f"{module} is not installed"
        raise Unavailable(message) from None


def on_asyncio(lab: Lab, work: Work, *, default: Pool | None = None, uvloop: bool = False) -> Round:
    """A round on a fresh loop of asyncio's, or uvloop's, with that default executor."""
    new_loop = optional("uvloop").new_event_loop if uvloop else asyncio.new_event_loop

    async def timed() -> float:
        if default is not None:
            asyncio.get_running_loop().set_default_executor(default)
        start = perf_counter()
        await work(lab.tasks)
        return (perf_counter() - start) / lab.tasks

    def one_round() -> float:
        loop: Any = new_loop()
        try:
            seconds: float = loop.run_until_complete(timed())
            return seconds
        finally:
            if default is not None:
                keep_open(default, loop)
            loop.close()

    return one_round


def keep_open(pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop forget its default executor, which it would shut down with itself."""
    spare = type(pool)(1)
    loop.set_default_executor(spare)


def on_trio(lab: Lab, work: Work) -> Round:
    """A round on trio."""
    trio = optional("trio")

    async def timed() -> float:
        start = perf_counter()
        await work(lab.tasks)
        return (perf_counter() - start) / lab.tasks

    return lambda: trio.run(timed)
