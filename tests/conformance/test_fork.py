"""Fork: the parent's pool goes on; the child can have its own pools, and use its parent's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

each_worker_count = pytest.mark.parametrize("count", [1, 2, 8])

CHILD = """
def in_child(function):
    \"\"\"Calls the function in a forked child; gives the child's exit status.\"\"\"
    process = os.fork()
    if process == 0:
        signal.alarm(25)  # a child that hangs is killed, and its status tells
        status = 1
        try:
            function()
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
def test_a_busy_pool_of_the_parent_goes_on(run_child: Callable[..., str], count: int) -> None:
    output = run_child(
        CHILD
        + f"""
gate = threading.Event()
pool = ThreadPoolExecutor({count})
futures = [pool.submit(gate.wait) for _ in range({count})]
futures += [pool.submit(int, number) for number in range(100)]
print(in_child(lambda: None))
gate.set()
print(sum(future.result() for future in futures[{count}:]))
print(pool.submit(pow, 2, 5).result())
"""
    )
    assert output.split() == ["0", "4950", "32"]


@each_worker_count
def test_a_child_can_have_a_new_pool(run_child: Callable[..., str], count: int) -> None:
    output = run_child(
        CHILD
        + f"""
pool = ThreadPoolExecutor({count})
pool.submit(int).result()
def child():
    with ThreadPoolExecutor({count}) as mine:
        assert list(mine.map(int, range(100))) == list(range(100))
print([in_child(child) for _ in range(3)])
"""
    )
    assert output.strip() == "[0, 0, 0]"


@pytest.mark.ours  # in the standard library's child the pool believes in threads that are gone
@each_worker_count
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_child_can_use_its_parent_s_pool(
    run_child: Callable[..., str], count: int, busy: bool
) -> None:
    output = run_child(
        CHILD
        + f"""
gate = threading.Event()
pool = ThreadPoolExecutor({count}, "inherited")
futures = [pool.submit(gate.wait) for _ in range({3 * count})] if {busy} else [pool.submit(int)]
if not {busy}:
    futures[0].result()
def child():
    assert [thread for thread in pool._threads if thread.is_alive()] == []
    assert pool._work_queue.qsize() == 0
    assert pool.submit(pow, 2, 5).result() == 32
    together = threading.Barrier({count}, timeout=20)
    names = list(pool.map(lambda _: (together.wait(), threading.current_thread().name)[1],
                          range({count})))
    assert len(set(names)) == {count}
    assert all(name.startswith("inherited_") for name in names), names
    pool.shutdown()
    try:
        pool.submit(int)
    except RuntimeError:
        return
    raise AssertionError("submitted after shutdown")
print([in_child(child) for _ in range(3)])
gate.set()
print(len([future.result() for future in futures]), pool.submit(int, 7).result())
"""
    )
    total = 3 * count if busy else 1
    assert output.split("\n")[:2] == ["[0, 0, 0]", f"{total} 7"]


@pytest.mark.ours
def test_nobody_in_the_child_waits_for_work_of_the_parent(run_child: Callable[..., str]) -> None:
    output = run_child(
        CHILD
        + """
from concurrent.futures import CancelledError
gate = threading.Event()
pool = ThreadPoolExecutor(1)
running, queued = pool.submit(gate.wait), pool.submit(int)
while not running.running():
    time.sleep(0.001)
def child():
    for future in (running, queued):
        assert future.done(), future
        try:
            future.result(0)
        except CancelledError:
            continue
        raise AssertionError("no error")
    assert wait([running, queued], 20).not_done == set()
print(in_child(child))
gate.set()
print(running.result(), queued.result())
"""
    )
    assert output.split() == ["0", "True", "0"]


@pytest.mark.ours
@each_worker_count
def test_a_task_may_fork_and_use_the_pool_in_the_child(
    run_child: Callable[..., str], count: int
) -> None:
    output = run_child(
        CHILD
        + f"""
pool = ThreadPoolExecutor({count})
def child():
    assert pool.submit(pow, 2, 5).result() == 32
    assert list(pool.map(int, range(20))) == list(range(20))
    with ThreadPoolExecutor({count}) as mine:
        assert mine.submit(pow, 2, 6).result() == 64
print([pool.submit(in_child, child).result() for _ in range(3)])
print(list(pool.map(int, range(5))))
"""
    )
    assert output.splitlines() == ["[0, 0, 0]", "[0, 1, 2, 3, 4]"]


@pytest.mark.standard_since(3, 14)  # older ones try to join threads of the parent
@each_worker_count
def test_a_process_forked_by_a_task_ends_properly(
    run_child: Callable[..., str], count: int
) -> None:
    output = run_child(f"""
        import multiprocessing
        fork = multiprocessing.get_context("fork")
        pool = ThreadPoolExecutor({count})
        def task():
            process = fork.Process(target=int)
            process.start()
            process.join(20)
            return process.exitcode
        print([pool.submit(task).result() for _ in range(3)])
    """)
    assert output.strip() == "[0, 0, 0]"


def test_a_process_forked_beside_a_busy_pool_ends_properly(run_child: Callable[..., str]) -> None:
    output = run_child("""
        import multiprocessing
        fork = multiprocessing.get_context("fork")
        gate = threading.Event()
        pool = ThreadPoolExecutor(2)
        futures = [pool.submit(gate.wait) for _ in range(10)]
        def child():
            with ThreadPoolExecutor(2) as mine:
                assert mine.submit(int, 3).result() == 3
        processes = [fork.Process(target=child) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(20)
        print([process.exitcode for process in processes])
        gate.set()
    """)
    assert output.strip() == "[0, 0, 0]"


@pytest.mark.ours  # the standard library's locks are those of the forking thread alone
def test_forks_while_many_threads_submit(run_child: Callable[..., str]) -> None:
    output = run_child(
        CHILD
        + """
pool = ThreadPoolExecutor(4)
stop = threading.Event()
counts = []
def submit():
    count = 0
    while not stop.is_set():
        assert pool.submit(int, count).result(20) == count
        count += 1
    counts.append(count)
threads = [threading.Thread(target=submit) for _ in range(4)]
for thread in threads:
    thread.start()
def child():
    futures = [pool.submit(int, number) for number in range(50)]
    assert [future.result(20) for future in futures] == list(range(50))
statuses = [in_child(child) for _ in range(20)]
stop.set()
for thread in threads:
    thread.join()
print(set(statuses), len(counts), min(counts) > 0)
"""
    )
    assert output.split() == ["{0}", "4", "True"]


@pytest.mark.ours  # the standard library's child waits for threads that only the parent has
def test_forks_while_threads_start(run_child: Callable[..., str]) -> None:
    output = run_child(
        CHILD
        + """
def child():
    futures = [pool.submit(int, number) for number in range(50)]
    assert [future.result(20) for future in futures] == list(range(50))
    assert wait(busy, 20).not_done == set(), busy
statuses = []
for attempt in range(20):
    gate = threading.Event()
    pool = ThreadPoolExecutor(8)
    busy = [pool.submit(gate.wait) for _ in range(attempt % 9)]
    statuses.append(in_child(child))
    gate.set()
    assert wait(busy, 20).not_done == set(), busy
print(set(statuses))
"""
    )
    assert output.split() == ["{0}"]


@pytest.mark.ours
def test_a_child_may_fork_again(run_child: Callable[..., str]) -> None:
    output = run_child(
        CHILD
        + """
pool = ThreadPoolExecutor(2)
def descend(left):
    assert pool.submit(int, left).result(20) == left
    if left:
        assert in_child(lambda: descend(left - 1)) == 0
descend(4)
print("descended")
"""
    )
    assert output.split() == ["descended"]


@pytest.mark.ours
def test_a_child_ends_as_an_interpreter_does_with_work_in_the_pool(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(2)
        pool.submit(int).result()
        process = os.fork()
        if process == 0:
            signal.alarm(25)
            for number in range(10):
                pool.submit(lambda: (time.sleep(0.001), os.write(1, b"ran\\n")))
            sys.exit(5)  # the queued work runs first
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    """)
    assert output.split() == ["ran"] * 10 + ["5"]
