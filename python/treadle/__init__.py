"""Native executors: `concurrent.futures` in C++, a fraction of its cost a task.

Change one import::

    from treadle import ThreadPoolExecutor
"""

from __future__ import annotations

from treadle import compat

compat.refuse_sub_interpreters()

try:
    from treadle._core import Future, check_cancelled, current_task
except ModuleNotFoundError as error:
    if error.name == "treadle._core":
        msg = (
            "treadle's extension module is not built for this Python: "
            "install the package with 'pip install treadle' or 'pip install .'"
        )
        raise ImportError(msg) from error
    raise
from treadle.errors import BrokenThreadPool
from treadle.executors.thread import ThreadPoolExecutor
from treadle.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, as_completed, wait
from treadle.install import install, uninstall
from treadle.loops import run, run_in_thread, to_thread

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from treadle.executors.asynchronous import AsyncThreadExecutor
    from treadle.executors.priority import PriorityExecutor
    from treadle.running_task import RunningTask
    from treadle.statistics import ExecutorStatistics, Histogram

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "AsyncThreadExecutor",
    "BrokenThreadPool",
    "ExecutorStatistics",
    "Future",
    "Histogram",
    "PriorityExecutor",
    "RunningTask",
    "ThreadPoolExecutor",
    "as_completed",
    "check_cancelled",
    "current_task",
    "install",
    "run",
    "run_in_thread",
    "to_thread",
    "uninstall",
    "wait",
]


# Imported by the first who asks: most programmes do not need them.
_LATER = {
    "AsyncThreadExecutor": "treadle.executors.asynchronous",
    "ExecutorStatistics": "treadle.statistics",
    "Histogram": "treadle.statistics",
    "PriorityExecutor": "treadle.executors.priority",
    "RunningTask": "treadle.running_task",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    value: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
