"""Streams that end early: what is queued is cancelled, the source is closed, nothing is left."""

from __future__ import annotations

import gc
import itertools
import textwrap
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import INTERRUPT_WHEN_ASLEEP
from support.references import Thing, eventually_dead
from support.streams import Source
from support.waiting import Gate, eventually, in_thread, throw

if TYPE_CHECKING:
    from collections.abc import Callable

    import treadle

pytestmark = pytest.mark.ours

each_order = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as-completed"])


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool that the type checkers know as treadle's."""
    return executor


@each_order
def test_close_cancels_what_has_not_started(
    make_executor: Callable[..., Any], gate: Gate, ordered: bool
) -> None:
    pool = make_executor(1)
    ran: list[int] = []

    def task(number: int) -> int:
        ran.append(number)
        return gate.wait(number) if number else number

    source = Source(range(100))
    stream = pool.stream(task, source, concurrency=50, ordered=ordered)
    assert next(stream) == 0
    stream.close()
    assert source.closed == 1
    assert next(stream, "end") == "end"
    gate.open()
    pool.shutdown()
    assert len(ran) <= 2  # one may have started


@each_order
def test_a_break_closes_the_source(pool: treadle.ThreadPoolExecutor, ordered: bool) -> None:
    source = Source(itertools.count())
    for result in pool.stream(int, source, ordered=ordered):
        assert result >= 0
        break
    gc.collect()
    assert source.closed == 1


def test_a_generator_as_source_runs_its_finally(pool: treadle.ThreadPoolExecutor) -> None:
    ended: list[str] = []

    def source() -> Any:
        try:
            yield from itertools.count()
        finally:
            ended.append("finally")

    stream = pool.stream(int, source())
    assert next(stream) == 0
    stream.close()
    stream.close()
    assert ended == ["finally"]


def test_a_source_that_was_read_to_its_end_is_not_closed(pool: treadle.ThreadPoolExecutor) -> None:
    source = Source(range(5))
    stream = pool.stream(int, source)
    assert list(stream) == list(range(5))
    stream.close()
    assert source.closed == 0


def test_a_failed_call_closes_the_source_and_cancels_the_rest(
    make_executor: Callable[..., Any],
) -> None:
    pool = make_executor(1)
    source = Source(range(1000))
    with pytest.raises(ZeroDivisionError):
        list(pool.stream(lambda number: 1 // (3 - number), source, concurrency=20))
    assert source.closed == 1
    assert source.taken <= 24


def test_close_from_another_thread_ends_the_wait_of_the_reader(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)
    source = Source(range(100))
    stream = pool.stream(gate.wait, source, concurrency=10)
    reading = in_thread(lambda: list(stream))
    gate.await_arrivals()
    assert eventually(lambda: source.taken == 10)
    stream.close()
    gate.open()
    assert reading.get() == []
    assert source.closed == 1


@each_order
def test_results_and_items_that_were_handed_out_are_not_kept(
    pool: treadle.ThreadPoolExecutor, ordered: bool
) -> None:
    stream = pool.stream(
        lambda _: Thing(), (Thing() for _ in range(20)), concurrency=4, ordered=ordered
    )
    for _ in range(20):
        reference = weakref.ref(next(stream))
        assert eventually_dead(reference)


def test_a_stream_is_no_cycle_and_nothing_keeps_it(pool: treadle.ThreadPoolExecutor) -> None:
    item = Thing()
    reference = weakref.ref(item)
    stream = pool.stream(lambda thing: thing, itertools.repeat(item), concurrency=3)
    del item
    next(stream)
    stream_reference = weakref.ref(stream)
    del stream
    assert eventually_dead(stream_reference)
    assert eventually_dead(reference)


def test_an_error_keeps_nothing_alive(pool: treadle.ThreadPoolExecutor) -> None:
    item = Thing()
    reference = weakref.ref(item)

    def fail(_: Any) -> None:
        throw(ValueError("fails"))

    stream = pool.stream(fail, iter([item]))
    with pytest.raises(ValueError, match="fails"):
        next(stream)
    del item
    assert eventually_dead(reference)


def test_no_thread_is_started_beside_the_workers(
    pool: treadle.ThreadPoolExecutor, workers: int
) -> None:
    before = threading.active_count()
    for _ in pool.stream(int, range(1000)):
        assert threading.active_count() <= before + workers


def test_ctrl_c_ends_the_wait_of_a_reader(run_child: Callable[..., str], workers: int) -> None:
    source = f"""
        release = threading.Event()
        pool = ThreadPoolExecutor({workers})
        try:
            for result in pool.stream(lambda n: release.wait() if n else n, range(100)):
                print(result)
                send_when_main_sleeps()
        except KeyboardInterrupt:
            print("interrupted")
        release.set()
        pool.shutdown()
    """
    assert run_child(INTERRUPT_WHEN_ASLEEP + textwrap.dedent(source)) == "0\ninterrupted\n"


def test_a_stream_that_is_half_read_does_not_keep_the_interpreter(
    run_child: Callable[..., str],
) -> None:
    source = """
        import itertools
        stream = ThreadPoolExecutor(2).stream(str, itertools.count())
        print(next(stream))
    """
    assert run_child(source) == "0\n"
