"""Fixtures of every test: both libraries, the worker counts, pools and futures that clean up.

A test that asks for `library`, `executor_type` or `future_type` runs with treadle and with the
standard library, so the standard library proves that the test is right.  Marks narrow that:

* `ours`: only treadle (what the standard library lacks, or where its tracker calls it a bug);
* `standard_since(major, minor, ...)`: the standard library takes part from that Python on;
* `worker_counts(...)`: other counts than 1, 2 and many.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.libraries import STANDARD, TREADLE, Library
from support.logs import LogRecorder
from support.processes import run_python
from support.waiting import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

MANY = 8
"""The N of the worker counts 1, 2, N."""

pool_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "ours: only for treadle, not for the standard library",
        "standard_since(*version): the standard library takes part from that Python on",
        "worker_counts(*counts): run with these instead of 1, 2 and many workers",
        "slow: takes more than a quarter of a second",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "library" in metafunc.fixturenames:
        libraries = [TREADLE]
        since = metafunc.definition.get_closest_marker("standard_since")
        left_out = since is not None and sys.version_info < since.args
        if metafunc.definition.get_closest_marker("ours") is None and not left_out:
            libraries.append(STANDARD)
        metafunc.parametrize("library", libraries, ids=lambda one: one.name, indirect=True)
    if "workers" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("worker_counts")
        counts = mark.args if mark is not None else (1, 2, MANY)
        ids = [f"{count}-workers" for count in counts]
        metafunc.parametrize("workers", counts, ids=ids, indirect=True)


@pytest.fixture
def library(request: pytest.FixtureRequest) -> Library:
    """The library under test: treadle or the standard one."""
    return request.param


@pytest.fixture
def executor_type(library: Library) -> type[ThreadPoolExecutor]:
    return library.executor_type


@pytest.fixture
def future_type(library: Library) -> type[Future[Any]]:
    return library.future_type


@pytest.fixture
def workers(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(autouse=True)
def futures_log() -> Iterator[LogRecorder]:
    """What the logger `concurrent.futures` was told; a record that no test took is a failure."""
    recorder = LogRecorder()
    logger = logging.getLogger("concurrent.futures")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [recorder], False
    yield recorder
    logger.handlers[:], logger.propagate = handlers, propagate
    assert recorder.take_texts() == []


@pytest.fixture
def make_executor(
    executor_type: type[ThreadPoolExecutor], futures_log: LogRecorder
) -> Iterator[Callable[..., ThreadPoolExecutor]]:
    """Makes pools, shuts them down at the end, and looks that no thread of theirs is left."""
    pools: list[ThreadPoolExecutor] = []
    prefixes: list[str] = []

    def make(max_workers: int | None = None, *args: Any, **options: Any) -> ThreadPoolExecutor:
        pool_type = options.pop("executor_type", executor_type)
        if not args:
            options.setdefault("thread_name_prefix", f"pool-{next(pool_numbers)}-of-tests")
        pool = pool_type(max_workers, *args, **options)
        prefixes.append(pool._thread_name_prefix)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.shutdown(wait=True)
    left = [
        thread.name
        for thread in threading.enumerate()
        if any(thread.name.startswith(f"{prefix}_") for prefix in prefixes)
    ]
    assert left == [], "threads outlive shutdown(wait=True)"


@pytest.fixture
def executor(make_executor: Callable[..., ThreadPoolExecutor], workers: int) -> ThreadPoolExecutor:
    """A pool of `workers` workers."""
    return make_executor(workers)


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """A closed gate that tasks can wait at; it opens at the end of the test at the latest."""
    if "make_executor" in request.fixturenames:
        request.getfixturevalue("make_executor")  # its pools are shut down after the gate opens
    opened_at_last = Gate()
    yield opened_at_last
    opened_at_last.open()


@pytest.fixture
def run_child(library: Library) -> Callable[..., str]:
    """Runs a script in a new interpreter, with the library's names imported; gives its output."""

    def run(source: str, *arguments: str, **options: Any) -> str:
        return run_python(library.imports, source, *arguments, **options)

    return run
