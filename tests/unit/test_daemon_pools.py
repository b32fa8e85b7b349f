"""Pools of daemon threads: the interpreter's exit waits for none of their calls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.references import FREE_THREADED
from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

BUSY = {
    "sleeping": "pool.submit(call, lambda: time.sleep(0.0005))",
    "asleep for long": "pool.submit(call, lambda: time.sleep(1000))",
    "computing": "pool.submit(call, int)",
    "waiting for a lock": "pool.submit(call, threading.Lock().acquire, True, 0.0005)",
    "in a callback": "pool.submit(go.wait).add_done_callback(lambda _: call(time.sleep, 0.0005))",
    "in map": "pool.map(lambda _: call(time.sleep, 0.0005), range(4))",
    "in map, in a context": "variable.set(1); pool.map(lambda _: call(time.sleep, 0), [1, 2])",
    "in an argument's finalizer": "pool.submit(len, Late())",
    "in a result's finalizer": "pool.submit(Late)",
    "waiting for a task": "pool.submit(call, lambda: poll(Future()))",
    "helping": "pool.submit(lambda: pool.submit(call, time.sleep, 0.0005).result())",
    "submitting": "pool.submit(call, lambda: other.submit(int))",
}

EXIT = """
import contextvars
pool = ThreadPoolExecutor(int(sys.argv[1]), daemon=True)
other = ThreadPoolExecutor(1, daemon=True)
variable = contextvars.ContextVar("variable")
begun, go = threading.Semaphore(0), threading.Event()
def call(function, *args):
    begun.release()
    while True:
        try:
            function(*args)
        except RuntimeError:  # the other pool is shut down
            pass
def poll(future):
    try:
        future.result(0.0005)
    except TimeoutError:
        pass
    except concurrent.futures.TimeoutError:
        pass
class Late(str):
    def __del__(self):
        call(time.sleep, 0.0005)
def submit():
    {busy}
for _ in range(int(sys.argv[1])):
    submit()
go.set()
for _ in range(int(sys.argv[1])):
    begun.acquire()
queued = [pool.submit(int) for _ in range(10 * int(sys.argv[1]))]
print("ends")
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", ["1", "4"])
@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY)
def test_the_exit_does_not_wait_whatever_the_workers_do(
    run_child: Callable[..., str], busy: str, count: str
) -> None:
    if FREE_THREADED and "Late" in busy:
        pytest.skip("the thread that has made an object is the one to end it, when it wakes up")
    source = "import concurrent.futures\n" + EXIT.replace("{busy}", busy)
    for _ in range(2):
        assert run_child(source, count) == "ends\n"


def test_the_exit_does_not_wait_for_an_initializer(run_child: Callable[..., str]) -> None:
    output = run_child("""
        begun = threading.Event()
        def initialize():
            begun.set()
            while True:
                time.sleep(0.0005)
        pool = ThreadPoolExecutor(1, initializer=initialize, daemon=True)
        pool.submit(int)
        begun.wait()
        print("ends")
    """)
    assert output == "ends\n"


def test_idle_daemon_workers_do_not_disturb_the_exit(run_child: Callable[..., str]) -> None:
    output = run_child("""
        pools = [ThreadPoolExecutor(4, daemon=True) for _ in range(10)]
        futures = [pool.submit(pow, 2, 5) for pool in pools for _ in range(4)]
        print(sum(future.result() for future in futures))
    """)
    assert output == "1280\n"


def test_what_is_queued_at_the_exit_is_cancelled(run_child: Callable[..., str]) -> None:
    output = run_child("""
        import atexit
        pool = ThreadPoolExecutor(1, daemon=True)
        running = pool.submit(time.sleep, 1000)
        while not running.running():
            time.sleep(0.001)
        queued = pool.submit_many(int, range(5)) + [pool.submit(int)]
        results = pool.map(int, [1, 2])
        queued[0].add_done_callback(lambda _: print("called back"))
        @atexit.register
        def look():
            print([future.cancelled() for future in queued], running.running())
            try:
                next(results)
            except Exception as error:
                print(type(error).__name__)
            try:
                pool.submit(int)
            except RuntimeError as error:
                print(error)
    """)
    assert output.splitlines() == [
        "called back",
        f"{[True] * 6} True",
        "CancelledError",
        "cannot schedule new futures after interpreter shutdown",
    ]


def test_other_pools_are_waited_for_beside_a_daemon_one(run_child: Callable[..., str]) -> None:
    output = run_child("""
        daemon, usual = ThreadPoolExecutor(1, daemon=True), ThreadPoolExecutor(1)
        daemon.submit(time.sleep, 1000)
        usual.submit(time.sleep, 0.05)
        usual.submit(print, "ran to its end")
    """)
    assert output == "ran to its end\n"


def test_threads_that_outlive_the_main_one_get_what_still_ends(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(2, daemon=True)
        gate = threading.Event()
        future = pool.submit(gate.wait)
        while not future.running():
            time.sleep(0.001)
        def outlive():
            threading.main_thread().join()
            gate.set()
            print(future.result())
            pool.shutdown()
            print("joined")
        threading.Thread(target=outlive).start()
    """)
    assert output.split() == ["True", "joined"]


def test_a_daemon_pool_works_and_ends_as_any_other(workers: int) -> None:
    with treadle.ThreadPoolExecutor(workers, daemon=True) as pool:
        assert list(pool.map(abs, range(-5, 5))) == [abs(number) for number in range(-5, 5)]
        threads: Any = pool._threads
        assert all(thread.daemon for thread in threads)
    assert not any(thread.is_alive() for thread in threads)
    with treadle.ThreadPoolExecutor(workers) as pool:
        assert not pool.submit(lambda: threading.current_thread().daemon).result(LIMIT)


def test_workers_do_not_inherit_whether_they_are_daemons(workers: int) -> None:
    def inner(daemon: bool) -> bool:
        with treadle.ThreadPoolExecutor(workers, daemon=daemon) as pool:
            return pool.submit(lambda: threading.current_thread().daemon).result(LIMIT)

    with treadle.ThreadPoolExecutor(workers, daemon=True) as pool:
        assert pool.submit(inner, False).result(LIMIT) is False
        assert pool.submit(inner, True).result(LIMIT) is True


@pytest.mark.parametrize("daemon", [None, 0, 1, "yes", [True]])
def test_daemon_is_true_or_false(daemon: Any) -> None:
    with pytest.raises(TypeError, match=r"^daemon must be True or False, not "):
        treadle.ThreadPoolExecutor(1, daemon=daemon)
