"""The `threading.Thread` that a worker is, started without waiting for it.

`Thread.start` waits until the new thread runs, which costs two switches between threads.  Nobody
needs that here: the thread goes on to its first task while its creator goes on with its work.
What does need a running thread (`join`) waits then.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from treadle._core import Worker


class _Started(threading.Event):
    """The event that `Thread.start` waits for; in the thread that calls it, it does not wait."""

    starter: int | None = None

    def wait(self, timeout: float | None = None) -> bool:
        return self.starter == threading.get_ident() or super().wait(timeout)


class WorkerThread(threading.Thread):
    """A worker's thread, as `threading` and its users see it."""

    _started: _Started
    _failed = False  # it could not be started, and whoever joins it need not wait

    def __init__(self, worker: Worker, name: str) -> None:
        super().__init__(target=worker, name=name)
        self._started = _Started()

    def start(self) -> None:
        self._started.starter = threading.get_ident()
        try:
            super().start()  # whoever has patched Thread.start is part of it
        except BaseException:
            self._failed = not self.has_started()
            self._started.set()
            raise
        finally:
            self._started.starter = None

    def has_started(self) -> bool:
        """Tell whether the thread runs, or has run."""
        return self._started.is_set() and not self._failed

    def wait_started(self) -> None:
        """Wait until it does."""
        self._started.wait()

    def join(self, timeout: float | None = None) -> None:
        self._started.wait(timeout)
        if self._started.is_set() and not self._failed:
            super().join(timeout)

    def is_alive(self) -> bool:
        if self._failed:
            return False
        return super().is_alive() if self._started.is_set() else True
