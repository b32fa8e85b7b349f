"""Where threads run."""

from __future__ import annotations

import contextlib
import os
import threading

from treadle.bench.workload import Lab, Unavailable


def on_one_processor(lab: Lab) -> None:
    """Bind all threads to one processor until the workload ends.

    Waking a processor that sleeps takes many times as long as a switch of threads on one that is
    awake: on several, where the system puts the threads decides a figure more than any library.
    """
    if not hasattr(os, "sched_setaffinity"):
        msg = "this system does not bind threads to processors"
        raise Unavailable(msg)
    processors = os.sched_getaffinity(0)
    lab.stack.callback(_bind_threads, processors)
    _bind_threads({min(processors)})


def _bind_threads(processors: set[int]) -> None:
    """Those that start later inherit it."""
    for thread in threading.enumerate():
        if thread.native_id is not None:
            with contextlib.suppress(ProcessLookupError):  # it ends at this moment
                os.sched_setaffinity(thread.native_id, processors)
