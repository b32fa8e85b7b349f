"""`statistics()` in the child of a fork: of what has gone there, it knows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.ours


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.parametrize("histograms", [False, True])
def test_a_child_that_a_call_in_its_submitter_has_forked(
    run_child: Callable[..., str], histograms: bool
) -> None:
    output = run_child(f"""
def numbers():
    seen = pool.statistics()
    return (seen.submitted, seen.pending, seen.running, seen.completed, seen.abandoned)

pool = ThreadPoolExecutor(1, max_pending=1, when_full="run", histograms={histograms})
release, begun = threading.Event(), threading.Event()
pool.submit(lambda: (begun.set(), release.wait()))
begun.wait()
pool.submit(int)

def fork():
    return os.fork(), numbers()

process, seen = pool.submit(lambda: pool.submit(fork).result()).result()
if process == 0:
    signal.alarm(25)
    print(seen, numbers())
    sys.stdout.flush()
    os._exit(0)
os.waitpid(process, 0)
release.set()
pool.shutdown()
print(numbers())
""")
    assert output.splitlines() == ["(2, 0, 2, 0, 0) (2, 0, 0, 2, 0)", "(4, 0, 0, 4, 0)"]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.parametrize("histograms", [False, True])
def test_a_child_of_a_fork_counts_anew(run_child: Callable[..., str], histograms: bool) -> None:
    output = run_child(f"""
def numbers(pool):
    seen = pool.statistics()
    return (seen.submitted, seen.running, seen.completed, seen.cancelled, seen.pending)

def in_child(function):
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        signal.alarm(25)
        try:
            print(*function())
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(process, 0)

pool = ThreadPoolExecutor(1, histograms={histograms})
for number in range(5):
    pool.submit(int).result()
in_child(lambda: numbers(pool))

def used():
    before = numbers(pool)
    pool.submit(int).result()
    return before, numbers(pool)

def task():
    queued.append(pool.submit(int))
    in_child(used)

queued = []
pool.submit(task).result()
queued[0].result()
print(*numbers(pool))
""")
    lines = output.splitlines()
    assert lines == [
        "0 0 0 0 0",
        "(1, 1, 0, 0, 0) (2, 1, 1, 0, 0)",
        "7 0 7 0 0",
    ]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_child_knows_that_the_call_which_forked_was_asked_to_stop(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
pool = ThreadPoolExecutor(1)
running, asked = threading.Event(), threading.Event()

def fork():
    running.set()
    asked.wait()
    process = os.fork()
    if process == 0:
        print(pool.statistics().abandoned)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(process, 0)

future = pool.submit(fork)
running.wait()
future.cancel()
asked.set()
future.result()
print(pool.statistics().abandoned)
""")
    assert output.split() == ["1", "0"]
