"""Signal handlers that shut a pool down and wait, wherever they interrupt the main thread."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP
from support.waiting import LIMIT, Gate, occupy
from treadle.executors import _worker_thread

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="the state of a thread is read from /proc"
)

SHUTDOWNS = {
    "wait": "pool.shutdown()",
    "cancel": "pool.shutdown(cancel_futures=True)",
    "time limit": "pool.shutdown(timeout=20)",
}

ANYWHERE = """
import random
from concurrent.futures import CancelledError
seed = random.randrange(10**6)
random.seed(seed)
def handler(*_):
    {shutdown}
    ended.append(seed)
signal.signal(signal.SIGALRM, handler)
for attempt in range(150):
    ended, futures = [], []
    pool = ThreadPoolExecutor(attempt % 4 + 1)
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00002, 0.0008))
    try:
        while not ended:
            {interrupted}
    except CancelledError:
        assert "cancel" in {shutdown!r}
    except RuntimeError as error:
        assert "cannot schedule" in str(error), error
    while not ended:
        time.sleep(0.0001)
    pool.shutdown()
    assert all(future.done() for future in futures), seed
    assert not any(thread.is_alive() for thread in pool._threads), seed
print("ended")
"""

INTERRUPTED = {
    "submit": "futures.append(pool.submit(int))",
    "result": "futures.append(pool.submit(int)); futures[-1].result()",
    "submit_many": "futures += pool.submit_many(int, range(10))",
    "map": "assert list(pool.map(int, range(5))) == list(range(5))",
    "shutdown": "futures.append(pool.submit(time.sleep, 0.0003)); pool.shutdown()",
}


@pytest.mark.slow
@pytest.mark.parametrize("shutdown", SHUTDOWNS.values(), ids=SHUTDOWNS)
@pytest.mark.parametrize("interrupted", INTERRUPTED.values(), ids=INTERRUPTED)
def test_a_handler_may_wait_for_the_end_anywhere(
    run_child: Callable[..., str], interrupted: str, shutdown: str
) -> None:
    source = ANYWHERE.replace("{interrupted}", interrupted)
    source = source.replace("{shutdown}", shutdown).replace("{shutdown!r}", repr(shutdown))
    assert run_child(source) == "ended\n"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("shutdown", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_handler_does_not_wait_for_a_thread_that_cannot_start_before_it_returns(
    run_child: Callable[..., str], when: str, shutdown: str
) -> None:
    output = run_child(
        f"""
        start = threading.Thread.start
        def start_late(thread):
            if {when!r} == "after":
                start(thread)
            signal.raise_signal(signal.SIGUSR1)
            if {when!r} == "before":
                start(thread)
        def handler(*_):
            {shutdown}
            print("handled")
        signal.signal(signal.SIGUSR1, handler)
        pool = ThreadPoolExecutor(2)
        threading.Thread.start = start_late
        future = pool.submit(int)
        pool.shutdown()
        print(future.done())
        """
    )
    assert output.split() == ["handled", "True"]


@pytest.mark.parametrize("shutdown", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_handler_may_stand_inside_the_locks_of_threading(
    run_child: Callable[..., str], shutdown: str
) -> None:
    output = run_child(f"""
        pool = ThreadPoolExecutor(3)
        gate = threading.Event()
        pool.submit_many(lambda _: gate.wait(), range(3))
        def handler(*_):
            {shutdown}
        signal.signal(signal.SIGUSR1, handler)
        if hasattr(threading, "_maintain_shutdown_locks"):  # up to 3.12, with a lock held
            maintain = threading._maintain_shutdown_locks
            def interrupted():
                if threading.current_thread() is threading.main_thread():
                    signal.raise_signal(signal.SIGUSR1)
                maintain()
            threading._maintain_shutdown_locks = interrupted
        gate.set()
        pool.shutdown()
        threading._maintain_shutdown_locks = lambda: None
        print(pool._thread_count())
    """)
    assert output.split() == ["0"]


@needs_proc
@pytest.mark.parametrize("shutdown", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_handler_and_the_shutdown_below_it_both_wait_to_the_end(
    run_child: Callable[..., str], shutdown: str
) -> None:
    output = run_child(
        INTERRUPT_WHEN_ASLEEP
        + f"""
pool = ThreadPoolExecutor(3)
gate = threading.Event()
futures = pool.submit_many(lambda _: gate.wait(), range(3))
def handler(*_):
    threading.Timer(0.02, gate.set).start()
    {shutdown}
    print("handler:", all(future.done() for future in futures))
signal.signal(signal.SIGUSR1, handler)
send_when_main_sleeps(signal.SIGUSR1)
pool.shutdown()
print("shutdown:", all(future.done() for future in futures), pool._thread_count())
"""
    )
    assert output.splitlines() == ["handler: True", "shutdown: True 0"]


@needs_proc
@pytest.mark.parametrize("timeout", ["", "timeout=1000"])
def test_after_ctrl_c_a_pool_is_shut_and_can_be_waited_for(
    run_child: Callable[..., str], timeout: str
) -> None:
    output = run_child(
        "from treadle.errors import ShutdownTimeout\n"
        + INTERRUPT_WHEN_ASLEEP
        + f"""
pool = ThreadPoolExecutor(2)
gate = threading.Event()
futures = pool.submit_many(lambda number: gate.wait() * number, range(4))
for _ in range(2):
    send_when_main_sleeps()
    try:
        pool.shutdown({timeout})
    except KeyboardInterrupt:
        print("interrupted")
try:
    pool.submit(int)
except RuntimeError as error:
    print(error)
try:
    pool.shutdown(timeout=0.01)
except ShutdownTimeout as error:
    print(len(error.tasks))
gate.set()
pool.shutdown()
print(*[future.result(0) for future in futures], pool._thread_count())
"""
    )
    assert output.splitlines() == [
        "interrupted",
        "interrupted",
        "cannot schedule new futures after shutdown",
        "2",
        "0 1 2 3 0",
    ]


def test_an_interruption_at_the_gate_of_threading_is_forgotten(
    make_executor: Callable[..., Any], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler may raise as soon as it is noted that the thread is inside: nobody is, then."""

    class Inside(set[int]):
        interrupted = False

        def add(self, identity: int) -> None:
            super().add(identity)
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt

    pool = make_executor(1)
    occupy(pool, gate, 1)
    monkeypatch.setattr(_worker_thread, "_in_threading", Inside())
    with pytest.raises(KeyboardInterrupt):
        pool.shutdown()
    assert not _worker_thread.is_in_threading()
    gate.open()


class Limbo:
    """The lock that each new thread needs before it runs; a handler comes when it is held."""

    def __init__(self, real: Any, start: int, handler: Callable[[], None]) -> None:
        self.real, self.start, self.handler = real, start, handler
        self.main = threading.get_ident()
        self.handled = threading.Event()

    def __enter__(self) -> None:
        if threading.get_ident() != self.main:
            assert self.handled.wait(LIMIT)
        self.real.acquire()
        if threading.get_ident() == self.main:
            self.start -= 1
            if self.start == 0:
                self.handler()

    def __exit__(self, *_: object) -> None:
        self.real.release()


@pytest.mark.parametrize("limit", [None, LIMIT])
def test_it_waits_for_no_thread_that_needs_the_lock_of_the_start_below(
    make_executor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, limit: float | None
) -> None:
    pool = make_executor(2)
    real = threading._active_limbo_lock  # type: ignore[attr-defined]
    limbo = Limbo(real, 2, lambda: pool.shutdown(timeout=limit))
    monkeypatch.setattr(threading, "_active_limbo_lock", limbo)
    futures = [pool.submit(abs, -1), pool.submit(abs, -2)]  # each starts a thread
    assert limbo.start == 0
    limbo.handled.set()
    assert [future.result(LIMIT) for future in futures] == [1, 2]
    pool.shutdown()
