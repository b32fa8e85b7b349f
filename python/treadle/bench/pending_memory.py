"""Bytes of a pending task, in a process of its own: ``pending_memory LIBRARY COUNT``."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

from treadle.bench import rivals
from treadle.bench.callables import nothing


def resident_bytes() -> int | None:
    """The memory that this process occupies, or None where the system does not tell.

    Elsewhere than on Linux the highest so far, which serves as long as the process only grows.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def bytes_per_task(library: str, tasks: int) -> float:
    """How much the process grew for each of ``tasks`` tasks that wait for the only worker."""
    release = threading.Event()
    with rivals.EXECUTORS[library](1) as pool:
        pool.submit(release.wait)
        # What the first tasks allocate once (a queue's first block, say) is not a task's own.
        warm = [pool.submit(nothing, number) for number in range(100)]
        gc.collect()
        before = resident_bytes() or 0
        futures = [pool.submit(nothing, number) for number in range(tasks)]
        after = resident_bytes() or 0
        release.set()
        for future in (*warm, *futures):
            future.result()
    return (after - before) / tasks


if __name__ == "__main__":
    print(bytes_per_task(sys.argv[1], int(sys.argv[2])))
