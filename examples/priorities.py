"""Interactive requests overtake a batch: what each class waits, with priorities and without.

The batch compresses the files of a folder (the standard library's, unless one is given); requests
ask for the size of one each. Both go to the same pool of two threads.
"""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import treadle

REQUESTS = 20
PAUSE = 0.005  # seconds between two requests


def compress(path: Path) -> int:
    return len(zlib.compress(path.read_bytes(), 9))


def waits(batch: Executor, interactive: Executor, paths: list[Path]) -> dict[str, list[float]]:
    """The seconds from submission to result, of both classes."""
    ended: dict[str, list[float]] = {"batch": [], "requests": []}

    def submit(kind: str, pool: Executor, call: Callable[[Path], int], path: Path) -> Future[int]:
        start = time.perf_counter()
        future = pool.submit(call, path)
        future.add_done_callback(lambda _: ended[kind].append(time.perf_counter() - start))
        return future

    futures = [submit("batch", batch, compress, path) for path in paths]
    for path in paths[:REQUESTS]:
        futures.append(submit("requests", interactive, os.path.getsize, path))
        time.sleep(PAUSE)
    for future in futures:
        future.result()
    return ended


def main(folder: Path) -> None:
    paths = sorted(folder.glob("*.py"))[:200]
    for title, priority in (("all alike", 0), ("requests first", -1)):
        with treadle.PriorityExecutor(workers=2) as pool:
            ended = waits(pool, pool.options(priority=priority), paths)
        for kind, seconds in ended.items():
            median, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
            print(f"{title:>14}: {kind:8} median {median:7.1f} ms, worst {worst:7.1f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib")))
