"""Forks in awkward moments: amid nested tasks, unread maps, and collections by the fork's hooks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.processes import run_python

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
]

each_worker_count = pytest.mark.parametrize("count", [1, 2, 8])

CHILD = """
from concurrent.futures import CancelledError
import contextlib, gc

def ending(call, *args):
    \"\"\"What comes of a wait: in the child of a fork there is nobody to end it.\"\"\"
    try:
        return call(*args)
    except BaseException as error:
        return type(error).__name__

def settle():
    \"\"\"Waits until all other threads sleep: the address sanitizer of GCC 12 keeps its locks over
    a fork, so that a thread on its way up or down would leave a child that cannot start any.\"\"\"
    folder, in_a_row = "/proc/self/task", 0
    while os.path.exists(folder) and in_a_row < 20:
        states = []
        for thread in set(os.listdir(folder)) - {str(threading.get_native_id())}:
            with contextlib.suppress(OSError), open(f"{folder}/{thread}/stat") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
        in_a_row = in_a_row + 1 if set(states) <= {"S"} else 0
        time.sleep(0.002)

def in_child(function):
    \"\"\"Calls the function in a forked child; gives the child's exit status.\"\"\"
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        signal.alarm(25)  # a child that hangs is killed, and its status tells
        status = 1
        try:
            function()
            sys.stdout.flush()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
"""


@each_worker_count
@pytest.mark.parametrize("wait", ["future.result()", "future.result(None)", "wait([future])"])
def test_nested_tasks_of_the_parent_are_cancelled_in_the_child(
    run_child: Callable[..., str], count: int, wait: str
) -> None:
    output = run_child(
        CHILD
        + f"""
inner_runs, go_on = threading.Event(), threading.Event()
pool = ThreadPoolExecutor({count})
nested = []
def inner():
    inner_runs.set()
    go_on.wait()
def outer():
    nested.append(pool.submit(inner))
    {wait.replace("future", "nested[0]")}
outermost = pool.submit(outer)
inner_runs.wait()
futures = [outermost, *nested] + [pool.submit(go_on.wait) for _ in range(10)]
def child():
    assert wait(futures, 20).not_done == set(), futures
    print([ending(future.result, 20) for future in futures] == ["CancelledError"] * len(futures))
    print(pool.submit(pow, 2, 5).result(20))
settle()
print(in_child(child))
go_on.set()
print([future.exception() for future in futures] == [None] * len(futures))
"""
    )
    assert output.split() == ["True", "32", "0", "True"]


@each_worker_count
def test_a_fork_in_a_nested_task(run_child: Callable[..., str], count: int) -> None:
    """The child goes on in the thread of the nested task; what ran in others is cancelled."""
    output = run_child(
        CHILD
        + f"""
pool = ThreadPoolExecutor({count})
gate = threading.Event()
others = [pool.submit(gate.wait) for _ in range({count} - 1)]
while not all(future.running() for future in others):
    time.sleep(0.001)
def child():
    queued = [pool.submit(int, number) for number in range(10)]
    assert [future.result(20) for future in queued] == list(range(10))
    assert wait(others, 20).not_done == set(), others
    assert {{ending(future.result, 20) for future in others}} <= {{"CancelledError"}}
def inner():
    return in_child(child)
def outer():
    return pool.submit(inner).result()
print([pool.submit(outer).result(), pool.submit(outer).result(60)])
gate.set()
"""
    )
    assert output.strip() == "[0, 0]"


@each_worker_count
@pytest.mark.parametrize("method", ["map", "map_unordered"])
@pytest.mark.parametrize("options", ["", "timeout=20", "buffersize=2"])
def test_an_unread_map_of_the_parent_ends_in_the_child(
    run_child: Callable[..., str], count: int, method: str, options: str
) -> None:
    output = run_child(
        CHILD
        + f"""
pool = ThreadPoolExecutor({count})
gate = threading.Event()
waiting = [pool.submit(gate.wait) for _ in range({count})]
while not all(future.running() for future in waiting):
    time.sleep(0.001)
iterator = pool.{method}(int, [1, 2, 3], {options})
def child():
    print(ending(next, iterator))
    print(list(pool.{method}(int, [4, 4], {options})))
print(in_child(child))
gate.set()
print(sorted(iterator))
"""
    )
    assert output.splitlines() == ["CancelledError", "[4, 4]", "0", "[1, 2, 3]"]


@each_worker_count
def test_a_half_read_map_whose_items_run_in_the_parent_ends_in_the_child(
    run_child: Callable[..., str], count: int
) -> None:
    output = run_child(
        CHILD
        + f"""
pool = ThreadPoolExecutor({count})
gate, running = threading.Event(), threading.Event()
def task(number):
    if number:
        running.set()
        gate.wait()
    return number
iterator = pool.map(task, range(10))
print(next(iterator))
running.wait()
print(in_child(lambda: print(ending(next, iterator))))
gate.set()
print(sum(iterator))
"""
    )
    assert output.split() == ["0", "CancelledError", "0", "45"]


@pytest.mark.parametrize("moment", ["before", "after_in_parent", "after_in_child"])
@pytest.mark.parametrize("registered", ["first", "last"])
def test_a_pool_collected_by_a_hook_of_the_fork(moment: str, registered: str) -> None:
    """The hooks run in the order of their registration, or its reverse: beside treadle's own."""
    register = f"os.register_at_fork({moment}=collect)"
    importing = "import treadle"
    first, second = (register, importing) if registered == "first" else (importing, register)
    output = run_python(
        "import gc, os, signal, sys, weakref\n",
        f"""
modules = [name for name in sys.modules if name.partition(".")[0] == "treadle"]
assert modules == [], modules
def collect():
    os.write(1, b"collects\\n")
    gc.collect()
gc.disable()
{first}
{second}
def used():
    pool = treadle.ThreadPoolExecutor(1)
    assert pool.submit(int, 1).result() == 1
    pool.me = pool
    return weakref.ref(pool)
def unused():
    pool = treadle.ThreadPoolExecutor(1)
    pool.me = pool
    return weakref.ref(pool)
references = [used(), unused()]
process = os.fork()
if process == 0:
    signal.alarm(25)
    with treadle.ThreadPoolExecutor(1) as pool:
        os._exit(pool.submit(int, 5).result(20))
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
print(status, flush=True)
if "{moment}" != "after_in_child":
    print([reference() for reference in references])
""",
    )
    lines = output.splitlines()
    assert lines[:2] == ["collects", "5"]
    assert lines[2:] in ([], ["[None, None]"])
