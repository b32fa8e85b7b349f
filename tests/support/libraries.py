"""The two libraries that every conformance test runs with."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import treadle

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Library:
    """One implementation of the interface of `concurrent.futures`."""

    name: str
    module: str
    executor_type: type[concurrent.futures.ThreadPoolExecutor]
    future_type: type[concurrent.futures.Future[Any]]
    wait: Callable[..., Any]
    as_completed: Callable[..., Any]

    @property
    def imports(self) -> str:
        """The lines that bring the library into a child process."""
        return (
            "import os, signal, sys, threading, time\n"
            f"from {self.module} import Future, ThreadPoolExecutor, as_completed, wait\n"
        )


STANDARD = Library(
    "std",
    "concurrent.futures",
    concurrent.futures.ThreadPoolExecutor,
    concurrent.futures.Future,
    concurrent.futures.wait,
    concurrent.futures.as_completed,
)

TREADLE = Library(
    "treadle",
    "treadle",
    treadle.ThreadPoolExecutor,
    treadle.Future,
    treadle.wait,
    treadle.as_completed,
)
