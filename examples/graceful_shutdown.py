"""A service that SIGTERM ends in phases, within a time limit: graceful_shutdown.py [SECONDS]

1. It takes no more work, and drops what has not started.
2. What runs is asked to stop, and has SECONDS (5) to do so.
3. What is left then is named, with where it is, and left behind: the threads are daemons.
"""

from __future__ import annotations

import signal
import sys
import time

import treadle
from treadle.errors import ShutdownTimeout


def polite(number: int) -> int:
    """Work in steps: between them it asks whether it should stop."""
    for _ in range(1000):
        treadle.check_cancelled()
        time.sleep(0.05)
    return number


def stubborn(number: int) -> int:
    time.sleep(1000)
    return number


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    # Before any thread is started: each inherits that the signal waits for whoever asks for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pool = treadle.ThreadPoolExecutor(max_workers=3, daemon=True)
    futures = [pool.submit(work, n) for n, work in enumerate((polite, stubborn, polite))]
    futures += pool.submit_many(polite, range(3, 10))
    print("working", flush=True)
    signal.sigwait({signal.SIGTERM})

    pool.shutdown(wait=False, cancel_futures=True)
    print(f"dropped {sum(future.cancelled() for future in futures)} that had not started")
    for future in futures:
        future.request_cancel()
    try:
        pool.shutdown(timeout=seconds)
    except ShutdownTimeout as late:
        for task in late.tasks:
            where = task.stack()[-1]
            print(f"left behind: {task.name} at line {where.lineno}: {where.line}")
    else:
        print("all work has ended")


if __name__ == "__main__":
    main()
