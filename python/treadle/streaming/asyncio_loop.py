"""Which event loop the caller is a part of."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    import asyncio

__all__ = ["running_loop"]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of asyncio that runs the caller; None for tasks of trio, and where nothing runs.

    Trio in guest mode runs in a callback of asyncio's loop, which counts as running then.
    """
    module = sys.modules.get("asyncio")
    loop: asyncio.AbstractEventLoop | None = None if module is None else module._get_running_loop()
    if loop is not None and "trio" in sys.modules:
        from treadle._trio import is_running

        if is_running():
            return None
    return loop
