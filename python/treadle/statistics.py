"""What an executor can tell about itself."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from treadle._core import Executor

__all__ = ["ExecutorStatistics", "Histogram"]


@dataclass(frozen=True)
class Histogram:
    """How long something took, over many times.

    The durations are counted in buckets, sixteen to each power of two: a percentile is within 1/32
    of the true one; count, mean and maximum are exact.  Where nothing was counted, all are 0.

    Args:
        count: How many durations there were.

        mean: Their mean, in seconds.

        p50: Half of them took no longer than so many seconds.

        p90: The same for 90 of 100.

        p99: The same for 99 of 100.

        max: The longest, in seconds.

    Example::

        print(f"99 % of all calls waited less than {statistics.queue_wait.p99:.6f} s")
    """

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class ExecutorStatistics:
    """An executor at one moment, and what it has done since it was made.

    A call is everything that a pool runs: of `submit` and `run_in_executor`, and each item of
    `map`.  At every moment `submitted == pending + running + completed + failed + cancelled`; a
    call has been counted before its outcome can be seen.

    Args:
        max_workers: The most threads that run calls.

        workers: The threads that there are.

        idle: Those that sleep because there is nothing to do.

        pending: The calls that have not started, without those that were cancelled.

        running: The calls that have started and not ended.

        submitted: The calls that were accepted.

        completed: Those that gave a result.

        failed: Those that raised an exception.

        cancelled: Those that were cancelled: before they started, or because they ended with the
            CancelledError that they were asked to raise.  A call that a tool takes out of
            `_work_queue` counts as well.

        dropped: Those of them that made room for newer ones in a full queue.

        rejected: The calls that were refused, and count nowhere else.

        abandoned: The running calls that were asked to stop: their time ran out, or whoever waited
            for them gave up.  A call of `run_in_executor` counts only when its own future is
            asked: asyncio's `cancel` on the future of the loop tells nobody.

        longest_running: For how many seconds the call that started first of those that run has been
            running; 0 when none runs, None without histograms, since no clock is read then.

        queue_wait: How long calls waited from their submission to their start; None without
            histograms.

        run_time: How long they ran; None without histograms.

    Example::

        if executor.statistics().pending > 1000:
            refuse(request)
    """

    max_workers: int
    workers: int
    idle: int
    pending: int
    running: int
    submitted: int
    completed: int
    failed: int
    cancelled: int
    dropped: int
    rejected: int
    abandoned: int
    longest_running: float | None
    queue_wait: Histogram | None
    run_time: Histogram | None


def statistics_of(executor: Executor) -> ExecutorStatistics:
    """What `statistics` of the executors gives."""
    values = executor._statistics()
    return ExecutorStatistics(*values[:13], _histogram(values[13]), _histogram(values[14]))


def _histogram(values: tuple[int, float, float, float, float, float] | None) -> Histogram | None:
    return None if values is None else Histogram(*values)
