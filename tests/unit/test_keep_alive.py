"""`keep_alive` and `min_workers`: idle workers leave, and others take their places."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.processes import run_python
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy
from treadle.executors._worker_thread import WorkerThread

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

IMPORTS = "import threading, time, treadle\n"
SHORT = 0.002
SHORTEST = 1e-9
LONG = 3600.0


def meet(pool: Any, count: int) -> list[Any]:
    """Has `count` workers at once; gives their threads."""
    together = threading.Barrier(count, timeout=LIMIT)
    return [
        future.result(LIMIT)[1]
        for future in pool.submit_many(
            lambda _: (together.wait(), threading.current_thread()), range(count)
        )
    ]


def leaves(pool: Any, count: int) -> bool:
    """Waits until `count` threads are left."""
    return eventually(lambda: pool._thread_count() == count)


@pytest.mark.parametrize("least", [None, 0, 1, 2, 4])
def test_idle_workers_leave_but_for_the_least(
    make_executor: Callable[..., Any], least: int | None
) -> None:
    pool = make_executor(4, min_workers=least, keep_alive=SHORT)
    for _ in range(3):
        assert len(set(meet(pool, 4))) == 4
        assert leaves(pool, least or 0)
        assert eventually(lambda: len(pool._threads) == (least or 0))
        assert pool._idle_workers() == (least or 0)


def test_no_thread_is_started_before_it_is_needed(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(4, min_workers=3, keep_alive=SHORT)
    assert pool._thread_count() == 0
    assert pool.submit(int, 1).result(LIMIT) == 1
    assert pool._thread_count() == 1


@pytest.mark.parametrize("options", [{}, {"min_workers": 1}, {"keep_alive": LONG}])
def test_workers_stay_where_nothing_else_was_asked_for(
    make_executor: Callable[..., Any], options: dict[str, Any]
) -> None:
    pool = make_executor(4, **options)
    threads = set(meet(pool, 4))
    assert eventually(lambda: pool._idle_workers() == 4)
    time.sleep(10 * SHORT)
    assert set(meet(pool, 4)) == threads


def test_the_one_that_worked_last_stays(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(3, min_workers=1, keep_alive=SHORT)
    for last in range(3):
        gates = [Gate() for _ in range(3)]
        running = [
            pool.submit(lambda gate=gate: gate.wait(threading.current_thread())) for gate in gates
        ]
        for gate in gates:
            gate.await_arrivals()
        for number in (*(other for other in range(3) if other != last), last):
            gates[number].open()
            warmest = running[number].result(LIMIT)
            # A result may be there a moment before its worker sleeps: the next one comes later.
            assert eventually(lambda: warmest not in pool._threads or pool._idle_workers() > 0)
        assert eventually(lambda: pool._threads == {warmest})


def test_a_worker_that_is_busy_stays(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(3, keep_alive=SHORT)
    (running,) = occupy(pool, gate, 1)
    assert pool.submit(int, 1).result(LIMIT) == 1
    assert leaves(pool, 1)
    gate.open()
    assert running.result(LIMIT) is None
    assert leaves(pool, 0)


def test_new_workers_are_initialized_and_numbered_on(make_executor: Callable[..., Any]) -> None:
    initialized: list[str] = []
    pool = make_executor(
        1, keep_alive=SHORT, initializer=lambda: initialized.append(threading.current_thread().name)
    )
    for _ in range(3):
        assert pool.submit(int, 1).result(LIMIT) == 1
        assert leaves(pool, 0)
    assert initialized == [f"{pool._thread_name_prefix}_{number}" for number in range(3)]


@pytest.mark.parametrize("least", [0, 1])
def test_no_call_is_lost_to_a_worker_that_leaves(
    executor_type: Any, workers: int, least: int
) -> None:
    with executor_type(workers, min_workers=least, keep_alive=SHORTEST) as pool:
        for number in range(300):
            assert pool.submit(int, number).result(LIMIT) == number
        assert list(pool.map(str, range(300))) == [str(number) for number in range(300)]
        assert leaves(pool, least)


def test_producers_and_leaving_workers_meet(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(3, min_workers=1, keep_alive=SHORTEST)

    def produce() -> int:
        return sum(pool.submit(int, number).result(LIMIT) for number in range(300))

    assert [one.get() for one in [in_thread(produce) for _ in range(3)]] == [44850] * 3


def test_a_smaller_size_goes_before_the_least(make_executor: Callable[..., Any]) -> None:
    pool = make_executor(4, min_workers=3, keep_alive=SHORT)
    meet(pool, 4)
    pool.resize(2)
    assert leaves(pool, 2)
    pool.resize(4)
    meet(pool, 4)
    assert leaves(pool, 3)


def test_shutdown_waits_for_workers_that_leave(make_executor: Callable[..., Any]) -> None:
    for _ in range(30):
        pool = make_executor(4, keep_alive=SHORTEST)
        threads = meet(pool, 4)
        pool.shutdown(wait=True)
        assert not any(thread.is_alive() for thread in threads)


def test_shutdown_waits_for_a_thread_that_works_no_more(
    make_executor: Callable[..., Any], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = WorkerThread.run

    def run_and_linger(self: WorkerThread) -> None:
        run(self)
        gate.wait()

    monkeypatch.setattr(WorkerThread, "run", run_and_linger, raising=False)
    pool = make_executor(1, keep_alive=SHORT)
    assert pool.submit(int).result(LIMIT) == 0
    gate.await_arrivals()
    assert (pool._thread_count(), len(pool._threads)) == (0, 0)
    down = in_thread(pool.shutdown)
    down.thread.join(0.05)
    assert down.thread.is_alive()
    gate.open()
    assert down.get() is None


def test_a_pool_whose_workers_have_left_can_be_collected() -> None:
    pool = treadle.ThreadPoolExecutor(2, keep_alive=SHORT)
    threads = [weakref.ref(thread) for thread in meet(pool, 2)]
    assert leaves(pool, 0)
    reference = weakref.ref(pool)
    del pool
    gc.collect()
    assert reference() is None
    assert eventually(lambda: gc.collect() >= 0 and not any(thread() for thread in threads))


def test_a_pool_is_collected_while_its_workers_sleep_for_their_time() -> None:
    pool = treadle.ThreadPoolExecutor(2, keep_alive=LONG)
    threads = meet(pool, 2)
    del pool
    gc.collect()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_a_worker_that_waits_is_replaced_and_the_replacement_leaves(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(2, min_workers=1, keep_alive=SHORT)
    (inner,) = occupy(pool, gate, 1)
    begun = Gate()
    begun.open()
    outer = pool.submit(lambda: (begun.wait(), inner.result())[1])
    begun.await_arrivals()
    for number in range(5):
        assert pool.submit(int, number).result(LIMIT) == number
        assert leaves(pool, 2)
    gate.open()
    assert outer.result(LIMIT) is None
    assert leaves(pool, 1)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**400, Decimal("sNaN")])
def test_times_that_make_no_sense_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^keep_alive must be a positive, finite number of sec"):
        treadle.ThreadPoolExecutor(2, keep_alive=seconds)


@pytest.mark.parametrize("seconds", [True, "1", [1.0], object()])
def test_what_is_no_time_is_refused(seconds: Any) -> None:
    with pytest.raises(TypeError, match=r"^keep_alive must be a positive, finite number"):
        treadle.ThreadPoolExecutor(2, keep_alive=seconds)


@pytest.mark.parametrize("seconds", [1, 1e-300, 1e300])
def test_any_positive_number_is_a_time(make_executor: Callable[..., Any], seconds: float) -> None:
    pool = make_executor(2, keep_alive=seconds)
    assert [pool.submit(int, number).result(LIMIT) for number in range(9)] == list(range(9))


@pytest.mark.parametrize(
    ("least", "error", "message"),
    [
        (-1, ValueError, "^min_workers must be an integer of at least 0, got -1$"),
        (3, ValueError, r"^min_workers must not be greater than max_workers \(2\), got 3$"),
        (1.0, TypeError, "^min_workers must be an integer of at least 0, not 1.0$"),
        (True, TypeError, "^min_workers must be an integer of at least 0, not True$"),
    ],
)
@pytest.mark.parametrize("seconds", [None, 1])
def test_wrong_numbers_of_workers_are_refused(
    least: Any, error: type[Exception], message: str, seconds: float | None
) -> None:
    with pytest.raises(error, match=message):
        treadle.ThreadPoolExecutor(2, min_workers=least, keep_alive=seconds)


def test_nothing_is_printed_when_the_programme_ends_meanwhile() -> None:
    script = """
pool = treadle.ThreadPoolExecutor(8, keep_alive=0.01)
together = threading.Barrier(8, timeout=20)
for future in pool.submit_many(lambda _: together.wait(), range(8)):
    future.result()
time.sleep(0.0099)
print("end")
"""
    assert [run_python(IMPORTS, script) for _ in range(5)] == ["end\n"] * 5


def test_a_forked_child_keeps_its_own_workers_alive() -> None:
    script = """
import os
pool = treadle.ThreadPoolExecutor(2, keep_alive=0.002, min_workers=1)
pool.submit(int).result()
child = os.fork()
if child == 0:
    together = threading.Barrier(2, timeout=20)
    for future in pool.submit_many(lambda _: together.wait(), range(2)):
        future.result(20)
    while pool._thread_count() != 1:
        time.sleep(0.001)
    pool.shutdown()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    assert run_python(IMPORTS, script) == "0\n"
