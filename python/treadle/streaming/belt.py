"""The buffer between a generator in a worker and its one reader.

Thread safety: one producer, one reader; `stop` from any thread.
Invariants:
 1. The buffer holds at most `size` items: the producer waits before it produces one more.
 2. A reader that waits has found the buffer empty, so the item that ends its wait is the only one
    there: just then the producer rings.  What follows it costs no wake-up.
 3. A producer that waits has filled the buffer and adds nothing, so the reader meets every length
    below: it rings at `low`.
 4. Who waits, on either side, is woken by `stop`; nobody looks again after a while.
"""

from __future__ import annotations

from collections import deque

from treadle.streaming.bell import Bell

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["Belt"]


class Belt:
    """Items on their way from one worker to one reader."""

    __slots__ = (
        "buffer",
        "closing_error",
        "cut",
        "exhausted",
        "filled",
        "low",
        "room",
        "size",
        "stopped",
    )

    def __init__(self, size: int) -> None:
        self.buffer: deque[Any] = deque()
        self.size = size
        self.low = size // 2  # half is left to the reader while the producer wakes up
        self.filled = Bell()
        self.room = Bell()
        self.stopped = False
        self.cut = False  # stopped, and not by the reader: it must not take that for the end
        self.exhausted = False  # the generator ended by itself
        self.closing_error: Exception | None = None

    def stop(self) -> None:
        """Have the producer close its generator; nobody waits for room any more."""
        self.stopped = True
        self.room.ring()

    def produce(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """The worker's call: run the generator."""
        if self.stopped:
            return
        items = iter(fn(*args, **kwargs))
        self._carry(items)
        self._close(items)

    def _carry(self, items: Iterator[Any]) -> None:
        buffer, append, size = self.buffer, self.buffer.append, self.size
        for item in items:
            append(item)
            del item  # it is the reader's
            held = len(buffer)
            if held <= 1:
                self.filled.ring()
            if held >= size:
                self._wait_for_room()
            if self.stopped:
                return
        self.exhausted = True

    def _wait_for_room(self) -> None:
        waiting = self.room.arm()
        if len(self.buffer) < self.size or self.stopped:
            self.room.disarm()
        else:
            waiting.result()

    def _close(self, items: Any) -> None:
        if self.stopped and hasattr(items, "close"):
            try:
                items.close()
            except Exception as error:
                self.closing_error = error
                raise
