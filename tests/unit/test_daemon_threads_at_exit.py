"""Daemon threads may sit in any wait, or begin the next one, while the interpreter ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

WAITS = {
    "result": "future.result(0.0005)",
    "exception": "future.exception(0.0005)",
    "wait": "wait([future], 0.0005)",
    "wait for several": "wait([future, other], 0.0005, 'FIRST_COMPLETED')",
    "as_completed": "next(as_completed([future], 0.0005))",
    "condition": "with future._condition: future._condition.wait(0.0005)",
    "map": "next(pool.map(gate.wait, [0.001], timeout=0.0005))",
    "result of a task": "pool.submit(int).result(0.0005)",
    "for ever": "future.result()",
}

POLLING = """
from concurrent.futures import TimeoutError
future, other = Future(), Future()
gate = threading.Event()
pool = ThreadPoolExecutor(2)
polled = threading.Semaphore(0)
def poll():
    while True:
        polled.release()
        try:
            {wait}
        except (TimeoutError, RuntimeError):  # RuntimeError: the pool is shut down
            pass
for _ in range(4):
    threading.Thread(target=poll, daemon=True).start()
for _ in range(4):
    polled.acquire()
print("ends")
"""


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_polling_daemon_threads_do_not_disturb_the_exit(
    run_child: Callable[..., str], wait: str
) -> None:
    for _ in range(3):
        assert run_child(POLLING.replace("{wait}", wait)).split() == ["ends"]


@pytest.mark.parametrize("count", [1, 8])
def test_daemon_threads_that_wait_for_pool_results_do_not_disturb_the_exit(
    run_child: Callable[..., str], count: int
) -> None:
    output = run_child(f"""
        from concurrent.futures import TimeoutError
        pool = ThreadPoolExecutor({count})
        gate = threading.Event()
        futures = [pool.submit(gate.wait, 0.2) for _ in range({count})]
        polled = threading.Semaphore(0)
        def poll(future):
            while True:
                polled.release()
                wait([future], 0.0005)
                try:
                    future.result(0.0005)
                except TimeoutError:
                    pass
        for future in futures:
            threading.Thread(target=poll, args=(future,), daemon=True).start()
            polled.acquire()
        print("ends")
    """)
    assert output.split() == ["ends"]
