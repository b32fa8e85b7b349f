"""A service that SIGTERM ends in phases, within a time limit: graceful_shutdown.py [SECONDS]

1. It takes no more work, and drops what has not started.
2. What runs is asked to stop, and has SECONDS (5) to do so.
3. What is left then is named, with where it is, and left behind: the threads are daemons.
"""

from __future__ import annotations

import signal
import sys
import threading
import time

import treadle
from treadle.errors import ShutdownTimeout

asked_to_end = threading.Event()


def polite(number: int) -> int:
    """Work in steps: between them it asks whether it should stop."""
    for _ in range(1000):
        treadle.check_cancelled()
        time.sleep(0.05)
    return number


def stubborn(number: int) -> int:
    time.sleep(1000)
    return number


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    pool = treadle.ThreadPoolExecutor(max_workers=3, daemon=True)
    futures = [pool.submit(work, n) for n, work in enumerate((polite, stubborn, polite))]
    futures += pool.submit_many(polite, range(3, 10))
    print("working", flush=True)
    asked_to_end.wait()

    pool.shutdown(wait=False, cancel_futures=True)
    print(f"dropped {sum(future.cancelled() for future in futures)} that had not started")
    for future in futures:
        future.cancel()  # false for those that run: it asks them to stop
    try:
        pool.shutdown(timeout=seconds)
    except ShutdownTimeout as late:
        for task in late.tasks:
            where = task.stack()[-1]
            print(f"left behind: {task.name} at line {where.lineno}: {where.line}")
        return 1
    print("all work has ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
