"""The `threading.Thread` that a worker is, started without waiting for it.

`Thread.start` waits until the new thread runs, which costs two switches between threads.  Nobody
needs that here: the thread goes on to its first task while its creator goes on with its work.
What does need a running thread (`join`) waits then.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle._core import Worker


class _Started(threading.Event):
    """The event that `Thread.start` waits for; `start` below asks it not to."""

    starting = False

    def wait(self, timeout: float | None = None) -> bool:
        return True if self.starting else super().wait(timeout)


class WorkerThread(threading.Thread):
    """A worker's thread, as `threading` and its users see it."""

    _started: _Started

    def __init__(self, worker: Worker, name: str) -> None:
        super().__init__(target=worker, name=name)
        self._started = _Started()

    def start(self) -> None:
        self._started.starting = True
        try:
            super().start()  # whoever has patched Thread.start is part of it
        finally:
            self._started.starting = False

    def has_started(self) -> bool:
        """Tell whether the thread runs, or has run."""
        return self._started.is_set()

    def wait_started(self) -> None:
        """Wait until it does."""
        self._started.wait()

    def join(self, timeout: float | None = None) -> None:
        self._started.wait(timeout)
        if timeout is None or self._started.is_set():
            super().join(timeout)

    def is_alive(self) -> bool:
        return super().is_alive() if self._started.is_set() else True
