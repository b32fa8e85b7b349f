"""What a worker has returned is freed when everybody has let go of it, whatever the worker calls.

Free-threaded builds leave that to the thread that made the object, between two of its bytecodes: a
worker that calls compiled functions only has none of its own.
"""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from support.waiting import LIMIT

MOST = 64  # a worker's, until its next look


class Result(bytearray):
    """Made without a bytecode."""


def test_of_calls(executor: Any, workers: int) -> None:
    results = [weakref.ref(executor.submit(Result).result(LIMIT)) for _ in range(1000)]
    assert sum(result() is not None for result in results) < MOST * workers


@pytest.mark.worker_counts(1)
def test_of_map(executor: Any, workers: int) -> None:
    results = [weakref.ref(result) for result in executor.map(Result, range(1000))]
    list(executor.map(Result, range(1000)))  # a worker that sleeps lets go when it is called
    assert sum(result() is not None for result in results) < MOST * workers
