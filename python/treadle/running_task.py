"""What is known of a task that runs when a shutdown's time is up."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from traceback import FrameSummary
    from typing import Any

__all__ = ["RunningTask"]


@dataclass(frozen=True)
class RunningTask:
    """A task at the moment when a shutdown gave up waiting.

    Args:
        name: The qualified name of what is called.

        function: What is called: a submitted callable, or a done-callback or an initializer.

        seconds: How long it is known to have run.  Pools keep no times until the first shutdown
            with a timeout: it counts from then, or from the start of what started later.  The items
            that one worker takes from a `map` count as one task.

        thread: The thread that runs it.

    Example::

        except ShutdownTimeout as late:
            print(*late.tasks, sep="\\n")
    """

    name: str
    function: Callable[..., Any]
    seconds: float
    thread: threading.Thread
    _still_runs: Callable[[], bool] = field(repr=False, compare=False)

    def stack(self) -> list[FrameSummary]:
        """Where the task is now, the innermost call last; empty when it has ended.

        Time that is spent in a C function belongs to the last Python call.

        Returns:
            The frames, as from `traceback.extract_stack`, without those of the thread itself.

        Example::

            print("".join(traceback.format_list(task.stack())))
        """
        import traceback

        frame = sys._current_frames().get(self.thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
        # The frame is kept alive, not kept still: what it shows counts only if the task goes on.
        frames = traceback.StackSummary() if frame is None else traceback.extract_stack(frame)
        del frame
        if not self._still_runs():
            return []
        return [one for one in frames if one.filename not in _OF_THREADS]


_OF_THREADS = {sys.modules["threading"].__file__}
