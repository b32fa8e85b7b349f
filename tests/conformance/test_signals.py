"""Signals: Ctrl-C ends every wait in the main thread at once, and handlers may use the pool.

The task that is waited for ends only after the wait was interrupted: a wait that ignores the
signal never ends, and the test fails by time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="the state of a thread is read from /proc"
)

WAITS = {
    "result": "futures[0].result()",
    "result with a limit": "futures[0].result(1e6)",
    "exception": "futures[0].exception()",
    "exception with a limit": "futures[0].exception(1e6)",
    "result of a lone future": "Future().result()",
    "shutdown": "pool.shutdown(wait=True)",
    "context manager": "pool.__exit__(None, None, None)",
    "map": "list(pool.map(gate.wait, [None]))",
    "map with a limit": "list(pool.map(gate.wait, [None], timeout=1e6))",
    "wait": "wait(futures)",
    "wait with a limit": "wait(futures, 1e6)",
    "wait for the first": "wait(futures, return_when='FIRST_COMPLETED')",
    "as_completed": "list(as_completed(futures))",
    "as_completed with a limit": "list(as_completed(futures, 1e6))",
    "standard wait": "concurrent.futures.wait(futures)",
    "standard as_completed": "list(concurrent.futures.as_completed(futures))",
    "condition": "with futures[0]._condition: futures[0]._condition.wait()",
}

OUR_WAITS = {
    "map_unordered": "list(pool.map_unordered(gate.wait, [None]))",
    "buffered map": "list(pool.map(gate.wait, [None, None], buffersize=1))",
    "buffered map_unordered": "list(pool.map_unordered(gate.wait, [None, None], buffersize=1))",
}

INTERRUPTED = (
    "import concurrent.futures\n"
    + INTERRUPT_WHEN_ASLEEP
    + """
gate = threading.Event()
pool = ThreadPoolExecutor(int(sys.argv[1]))
futures = [pool.submit(gate.wait) for _ in range(int(sys.argv[1]))]
send_when_main_sleeps()
try:
    {wait}
except KeyboardInterrupt:
    print("interrupted")
else:
    print("not interrupted")
gate.set()
print(sum(future.result() for future in futures) == len(futures))
"""
)


@pytest.mark.parametrize("count", ["1", "8"])
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_the_wait(run_child: Callable[..., str], wait: str, count: str) -> None:
    output = run_child(INTERRUPTED.replace("{wait}", wait), count)
    assert output.split("\n")[:2] == ["interrupted", "True"]


@pytest.mark.ours
@pytest.mark.parametrize("count", ["1", "8"])
@pytest.mark.parametrize("wait", OUR_WAITS.values(), ids=OUR_WAITS)
def test_ctrl_c_ends_our_own_waits(run_child: Callable[..., str], wait: str, count: str) -> None:
    output = run_child(INTERRUPTED.replace("{wait}", wait), count)
    assert output.split("\n")[:2] == ["interrupted", "True"]


def test_ctrl_c_while_asyncio_waits_for_a_task(run_child: Callable[..., str]) -> None:
    output = run_child(
        "import asyncio\n"
        + INTERRUPT_WHEN_ASLEEP
        + """
gate = threading.Event()
pool = ThreadPoolExecutor(2)
async def main():
    await asyncio.get_running_loop().run_in_executor(pool, gate.wait)
send_when_main_sleeps()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
gate.set()
"""
    )
    assert output.split() == ["interrupted"]


def test_a_handler_that_returns_lets_the_wait_go_on(run_child: Callable[..., str]) -> None:
    output = run_child(
        INTERRUPT_WHEN_ASLEEP
        + """
gate = threading.Event()
pool = ThreadPoolExecutor(2)
future = pool.submit(gate.wait)
signal.signal(signal.SIGUSR1, lambda *_: gate.set())
send_when_main_sleeps(signal.SIGUSR1)
print(future.result())
"""
    )
    assert output.split() == ["True"]


def test_a_handler_may_submit_and_wait_while_the_main_thread_waits(
    run_child: Callable[..., str],
) -> None:
    output = run_child(
        INTERRUPT_WHEN_ASLEEP
        + """
gate = threading.Event()
pool = ThreadPoolExecutor(2)
future = pool.submit(gate.wait)
def handler(*_):
    print(pool.submit(pow, 2, 5).result())
    gate.set()
signal.signal(signal.SIGUSR1, handler)
send_when_main_sleeps(signal.SIGUSR1)
print(future.result())
"""
    )
    assert output.split() == ["32", "True"]


def test_a_handler_may_shut_the_pool_down_while_the_main_thread_waits(
    run_child: Callable[..., str],
) -> None:
    output = run_child(
        INTERRUPT_WHEN_ASLEEP
        + """
gate = threading.Event()
pool = ThreadPoolExecutor(1)
futures = [pool.submit(gate.wait), pool.submit(int)]
def handler(*_):
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
signal.signal(signal.SIGUSR1, handler)
send_when_main_sleeps(signal.SIGUSR1)
print(futures[0].result(), futures[1].cancelled())
"""
    )
    assert output.split() == ["True", "True"]


@pytest.mark.ours  # the standard library's submit deadlocks with itself
def test_a_handler_may_submit_in_the_middle_of_a_submit(run_child: Callable[..., str]) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(2)
        futures, from_handler = [], []
        def handler(*_):
            from_handler.append(pool.submit(int, 1))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        while len(from_handler) < 200:
            futures.append(pool.submit(int, 2))
            assert pool.submit(int, 3).result() == 3
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert {future.result() for future in futures} == {2}
        assert {future.result() for future in from_handler} == {1}
        print("all ran")
    """)
    assert output == "all ran\n"


@pytest.mark.ours
def test_a_handler_may_shut_down_in_the_middle_of_a_submit(run_child: Callable[..., str]) -> None:
    output = run_child("""
        def handler(*_):
            pool.shutdown(wait=False)
        signal.signal(signal.SIGALRM, handler)
        for attempt in range(30):
            pool = ThreadPoolExecutor(2)
            futures = []
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
            try:
                while True:
                    futures.append(pool.submit(int, 4))
            except RuntimeError as error:
                assert str(error) == "cannot schedule new futures after shutdown", error
            assert {future.result() for future in futures} <= {4}
        print("all ran")
    """)
    assert output == "all ran\n"


@pytest.mark.ours
def test_an_interrupt_in_the_middle_of_submits_loses_no_task(run_child: Callable[..., str]) -> None:
    output = run_child("""
        import random
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        ran = []
        with ThreadPoolExecutor(2) as pool:
            for attempt in range(200):
                futures = []
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.001))
                    while True:
                        futures.append(pool.submit(int, 4))
                except KeyboardInterrupt:
                    pass
                assert {future.result() for future in futures} <= {4}
        print("all ran")
    """)
    assert output == "all ran\n"


def test_signals_are_handled_by_the_main_thread_while_workers_run(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(threading.current_thread().name))
        with ThreadPoolExecutor(4) as pool:
            for _ in range(50):
                pool.submit(os.kill, os.getpid(), signal.SIGUSR1).result()
        print(set(seen), len(seen) > 0)
    """)
    assert output.split() == ["{'MainThread'}", "True"]
