"""An iterator that somebody is reading refuses a second reader, as a generator does."""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP
from support.references import FREE_THREADED
from support.waiting import LIMIT, Gate, ThreadResult, eventually, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.libraries import Library


@pytest.fixture(autouse=True)
def _guarded(request: pytest.FixtureRequest) -> None:
    if FREE_THREADED and request.getfixturevalue("library").name == "std":
        pytest.skip("free-threaded Pythons do not guard their generators")


def refused_and_reading(iterator: Iterator[Any]) -> ThreadResult:
    """Has two threads read: one must be refused while the other, which is given back, reads."""
    readers = [in_thread(next, iterator) for _ in range(2)]
    assert eventually(lambda: not all(reader.thread.is_alive() for reader in readers), 5), (
        "both threads read"
    )
    refused, reading = sorted(readers, key=lambda reader: reader.thread.is_alive())
    with pytest.raises(ValueError, match="already executing"):
        refused.get()
    assert reading.thread.is_alive()
    return reading


def pending_futures(future_type: type[Future[Any]], count: int) -> list[Future[Any]]:
    return [future_type() for _ in range(count)]


@pytest.mark.parametrize("timeout", [None, LIMIT])
@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_a_second_thread_cannot_read_what_completes(
    library: Library, count: int, timeout: float | None
) -> None:
    futures = pending_futures(library.future_type, count)
    iterator = library.as_completed(futures, timeout)
    reading = refused_and_reading(iterator)
    futures[count // 2].set_result(None)
    assert reading.get() is futures[count // 2]
    for future in futures:
        if not future.done():
            future.set_result(None)
    assert set(iterator) == set(futures) - {futures[count // 2]}


def test_nobody_is_given_a_future_that_is_not_done(library: Library) -> None:
    """Blocks that were freed before must not be taken for completions."""
    for _ in range(30):
        futures = pending_futures(library.future_type, 8)
        iterator = library.as_completed(futures)
        for future in reversed(futures):
            future.set_result(None)
        assert set(iterator) == set(futures)
    futures = pending_futures(library.future_type, 8)
    readers = [in_thread(next, iterator) for iterator in [library.as_completed(futures)] * 2]
    futures[0].set_result(None)
    given = []
    for reader in readers:
        try:
            given.append(eventually(lambda: not reader.thread.is_alive(), 0.2) and reader.get())
        except ValueError:
            continue
    for future in futures[1:]:
        future.set_result(None)
    done_when_given = [future for future in given if future is not False]
    assert done_when_given == [futures[0]]


@pytest.mark.parametrize("method", ["map", pytest.param("map_unordered", marks=pytest.mark.ours)])
def test_a_second_thread_cannot_read_a_map(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate, method: str
) -> None:
    if not hasattr(make_executor(1), method):
        pytest.skip("the standard library has no such method")
    pool = make_executor(2)
    iterator = getattr(pool, method)(gate.wait, ["result"] * 3)
    reading = refused_and_reading(iterator)
    gate.open()
    assert reading.get() == "result"
    assert list(iterator) == ["result"] * 2


@pytest.mark.ours
@pytest.mark.parametrize("method", ["map", "map_unordered"])
def test_threads_that_race_for_a_map_lose_and_repeat_nothing(
    make_executor: Callable[..., Any], method: str
) -> None:
    pool = make_executor(2)
    count, readers = 1000, 3

    def read(iterator: Iterator[list[int]], start: threading.Barrier) -> list[int]:
        mine: list[int] = []
        start.wait()
        while True:
            try:
                mine += next(iterator)
            except StopIteration:
                return mine
            except ValueError:
                time.sleep(0)  # somebody else reads

    for _ in range(20):
        iterator = getattr(pool, method)(lambda number: [number], range(count))
        start = threading.Barrier(readers, timeout=LIMIT)
        threads = [in_thread(read, iterator, start) for _ in range(readers)]
        got = itertools.chain.from_iterable([thread.get() for thread in threads])
        assert sorted(got) == list(range(count))


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="it looks for the wait in /proc")
@pytest.mark.parametrize(
    "iterator",
    ["as_completed(futures)", "as_completed(futures, 1e6)", "pool.map(gate.wait, [20, 20])"],
)
def test_a_signal_handler_cannot_read_what_the_main_thread_reads(
    run_child: Callable[..., str], iterator: str
) -> None:
    output = run_child(
        INTERRUPT_WHEN_ASLEEP
        + f"""
def handler(*_):
    def end_the_wait():
        gate.set()
        futures[1].set_result(None)
    threading.Timer(0.5, end_the_wait).start()  # not before the handler has read in vain
    try:
        print("given", next(iterator))
    except ValueError as error:
        print(error)
gate = threading.Event()
pool = ThreadPoolExecutor(2)
futures = [Future() for _ in range(3)]
signal.signal(signal.SIGUSR1, handler)
iterator = {iterator}
send_when_main_sleeps(signal.SIGUSR1)
given = next(iterator)
print(given in (True, futures[1]))
"""
    )
    assert output.splitlines() == ["generator already executing", "True"]
