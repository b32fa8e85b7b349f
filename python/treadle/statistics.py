"""What an executor can tell about itself."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ExecutorStatistics"]


@dataclass(frozen=True)
class ExecutorStatistics:
    """An executor at one moment.

    Args:
        max_workers: The most threads that run calls.

        workers: The threads that there are.

        idle: Those that sleep because there is nothing to do.

        pending: The calls that have not started; one that was cancelled counts until a worker meets
            it in the queue.

        abandoned: The calls that run though nobody waits for them any more: their time ran out, or
            who awaited them was cancelled.

    Example::

        if executor.statistics().abandoned > 10:
            refuse(request)
    """

    max_workers: int
    workers: int
    idle: int
    pending: int
    abandoned: int
