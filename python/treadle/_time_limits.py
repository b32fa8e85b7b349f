"""The thread that ends tasks whose time is up; started with the first deadline or time limit."""

from __future__ import annotations

import threading

from treadle._core import _serve_time_limits  # pyright: ignore[reportPrivateUsage]

__all__ = ["start"]


def start() -> None:
    """Start the thread; it serves all pools of the process until its end."""
    threading.Thread(target=_serve_time_limits, name="treadle-time-limits", daemon=True).start()
