"""What `wait` and `as_completed` hold of other libraries' futures is let go of exactly once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

FUTURES = """
import concurrent.futures, gc
def done(result=None):
    future = concurrent.futures.Future()
    future.set_result(result)
    return future
def references(future):
    gc.collect()
    return sys.getrefcount(future)
"""


@pytest.mark.parametrize("others", ["", "Future()", "concurrent.futures.Future()", "done()"])
def test_done_standard_futures_may_be_dropped_unread(
    run_child: Callable[..., str], others: str
) -> None:
    output = run_child(
        FUTURES
        + f"""
future = done()
before = references(future)
for _ in range(50):
    iterator = as_completed([future, {others}])
    del iterator
print(references(future) - before)
"""
    )
    assert output.split() == ["0"]


def test_done_standard_futures_may_be_dropped_half_read(run_child: Callable[..., str]) -> None:
    output = run_child(
        FUTURES
        + """
futures = [done() for _ in range(10)]
before = [references(future) for future in futures]
for count in range(10):
    iterator = as_completed(futures)
    for _ in range(count):
        next(iterator)
    iterator.close()
    iterator = as_completed(futures)
    for _ in range(count):
        next(iterator)
    del iterator
print([references(future) for future in futures] == before)
"""
    )
    assert output.split() == ["True"]


@pytest.mark.parametrize("calls", ["wait([future, late], 0)", "next(as_completed([late], 0), 0)"])
def test_time_that_is_up_lets_go_of_standard_futures(
    run_child: Callable[..., str], calls: str
) -> None:
    output = run_child(
        FUTURES
        + f"""
future, late = done(), concurrent.futures.Future()
before = references(future), references(late)
for _ in range(50):
    try:
        {calls}
    except concurrent.futures.TimeoutError:
        pass
print(references(future) - before[0], references(late) - before[1], late._waiters)
"""
    )
    assert output.split() == ["0", "0", "[]"]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="it looks for the wait in /proc")
@pytest.mark.parametrize(
    "call",
    ["wait([future, late])", "wait([future, late], 1e6)", "list(as_completed([future, late]))"],
)
@pytest.mark.parametrize("late", ["Future()", "concurrent.futures.Future()"])
def test_an_interrupted_wait_lets_go_of_standard_futures(
    run_child: Callable[..., str], call: str, late: str
) -> None:
    output = run_child(
        FUTURES
        + INTERRUPT_WHEN_ASLEEP
        + f"""
future, late = done(), {late}
before = references(future)
send_when_main_sleeps()
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
gc.collect()
late.set_result(1)
late._waiters.clear()  # the standard protocol leaves an interrupted waiter there
print(references(future) - before)
print(len(wait([future, late]).done))
"""
    )
    assert output.split() == ["interrupted", "0", "2"]
