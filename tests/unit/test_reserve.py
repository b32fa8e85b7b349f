"""`options(reserve=n)`: workers that a flood of other tasks cannot take.

The strategy: floods of tasks that wait at a gate take whatever they can get; what a view has
reserved is then free, exactly.
"""

from __future__ import annotations

import asyncio
import gc
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually, in_thread
from treadle.testing import ManualExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


@pytest.fixture(params=[treadle.ThreadPoolExecutor, treadle.PriorityExecutor])
def make_pool(request: pytest.FixtureRequest, gate: Gate) -> Any:
    """Makes pools; the gate opens before they are shut down."""
    pools: list[Any] = []

    def make(*args: Any, **options: Any) -> Any:
        pools.append(request.param(*args, **options))
        return pools[-1]

    yield make
    gate.open()
    for pool in pools:
        pool.shutdown(cancel_futures=True)


def flood(executor: Any, gate: Gate, count: int, starting: int) -> list[Any]:
    """Tasks at the gate, of which exactly so many can start."""
    futures = [executor.submit(gate.wait) for _ in range(count)]
    gate.await_arrivals(starting)
    assert sum(future.running() for future in futures) == starting
    return futures


def test_a_flood_leaves_what_is_reserved(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(4)
    with pool.options(reserve=2) as view:
        flooding = flood(pool, gate, 20, 2)
        together = threading.Barrier(2, timeout=LIMIT)
        both = [view.submit(together.wait) for _ in range(2)]
        assert sorted(future.result(LIMIT) for future in both) == [0, 1]
        assert [view.submit(abs, -number).result(LIMIT) for number in range(50)] == [*range(50)]
        assert sum(future.running() for future in flooding) == 2


def test_beyond_its_reserve_a_view_uses_what_others_leave(
    make_pool: Callable[..., Any], gate: Gate
) -> None:
    pool = make_pool(4)
    view = pool.options(reserve=1)
    flood(view, gate, 10, 4)


def test_the_others_get_their_share_of_a_flood_by_the_view(
    make_pool: Callable[..., Any], gate: Gate
) -> None:
    pool = make_pool(2)
    view = pool.options(reserve=1)
    inner, ended = Gate(), threading.Event()
    held = [view.submit(inner.wait) for _ in range(2)]
    inner.await_arrivals(2)
    pool.submit(ended.set)
    more = [view.submit(gate.wait) for _ in range(10)]
    inner.open()
    assert ended.wait(LIMIT)  # in its turn, before the tenth of the view
    assert all(future.result(LIMIT) is None for future in held)
    gate.open()
    assert all(future.result(LIMIT) is None for future in more)


@pytest.mark.parametrize("how", ["shutdown", "with", "collection"])
def test_it_ends_with_its_view(make_pool: Callable[..., Any], gate: Gate, how: str) -> None:
    pool = make_pool(3)
    view = pool.options(reserve=2)
    view.submit(abs, -1).result(LIMIT)
    futures = flood(pool, gate, 5, 1)
    if how == "shutdown":
        view.shutdown()
    elif how == "with":
        with view:
            pass
    else:
        view.itself = view  # a cycle
        del view
        gc.collect()
        pool.submit(abs, -1)  # a collection starts no threads
    gate.await_arrivals(2)
    assert eventually(lambda: sum(future.running() for future in futures) == 3)


def test_what_its_tasks_need_lasts_as_long_as_they(
    make_pool: Callable[..., Any], gate: Gate
) -> None:
    pool = make_pool(2)
    view = pool.options(reserve=1)
    futures = flood(view, gate, 5, 2)
    view.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        view.submit(abs, -1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        view.try_submit(abs, -1)
    del view
    gate.open()
    assert [future.result(LIMIT) for future in futures] == [None] * 5
    again = [pool.options(reserve=1) for _ in range(1)]
    assert again[0].submit(abs, -1).result(LIMIT) == 1


def test_views_on_a_view_share_its_workers(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(3)
    inner = pool.options(reserve=2).options(name="inner")  # the outer one is gone
    flooding = flood(pool, gate, 5, 1)
    together = threading.Barrier(2, timeout=LIMIT)
    both = [view.submit(together.wait) for view in (inner, inner.options(deadline=LIMIT))]
    assert sorted(future.result(LIMIT) for future in both) == [0, 1]
    with pytest.raises(ValueError, match="reserve must leave a worker"):
        inner.options(reserve=1)  # one of its own: there are three, and two are taken
    without = inner.options(reserve=None)
    waiting = without.submit(abs, -1)
    assert inner.submit(abs, -2).result(LIMIT) == 2
    assert not waiting.done()
    inner.shutdown()
    gate.await_arrivals(2)
    assert sum(future.running() for future in flooding) == 3
    gate.open()
    assert waiting.result(LIMIT) == 1


@pytest.mark.parametrize(
    ("reserve", "error", "message"),
    [
        (0, ValueError, "reserve must be a positive integer or None, not 0"),
        (-1, ValueError, "reserve must be a positive integer or None, not -1"),
        (True, TypeError, "reserve must be a positive integer or None, not True"),
        (1.0, TypeError, "reserve must be a positive integer or None, not 1.0"),
        ("1", TypeError, "reserve must be a positive integer or None, not '1'"),
        (2, ValueError, "0 of 2 workers are reserved already, 2 more would be too many"),
        (10**30, ValueError, "reserve must leave a worker for other tasks"),
    ],
)
def test_what_cannot_be_reserved(
    make_pool: Callable[..., Any], reserve: Any, error: type[Exception], message: str
) -> None:
    pool = make_pool(2)
    with pytest.raises(error, match=re.escape(message)):
        pool.options(reserve=reserve)
    pool.options(reserve=1)  # nothing was taken


def test_a_pool_does_not_shrink_below_what_is_reserved(make_pool: Callable[..., Any]) -> None:
    pool = make_pool(4)
    with pool.options(reserve=2) as view:
        with pytest.raises(ValueError, match="besides the 2 that views have reserved"):
            pool.resize(2)
        assert pool._max_workers == 4
        pool.resize(3)
        assert view.submit(abs, -1).result(LIMIT) == 1
    pool.resize(1)


def test_a_map_that_runs_makes_room(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(2)
    steps = threading.Semaphore(0)
    results = pool.map(lambda _: steps.acquire(timeout=LIMIT), range(100))
    steps.release(10)
    view = pool.options(reserve=1)
    future = view.submit(abs, -1)
    steps.release(90)  # what holds both workers ends item by item
    assert future.result(LIMIT) == 1
    assert list(results) == [True] * 100


def test_tasks_that_wait_for_each_other(make_pool: Callable[..., Any]) -> None:
    pool = make_pool(2)
    view = pool.options(reserve=1)

    def through(depth: int) -> int:
        other = view if depth % 2 else pool
        return 0 if depth == 0 else 1 + int(other.submit(through, depth - 1).result(LIMIT))

    assert pool.submit(through, 12).result(LIMIT) == 12
    assert view.submit(through, 12).result(LIMIT) == 12


def test_shutdown_runs_what_waits(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(3)
    view = pool.options(reserve=2)
    futures = [*flood(pool, gate, 5, 1), *flood(view, gate, 5, 2)]
    waiting = in_thread(pool.shutdown)
    gate.open()
    waiting.get()
    assert [future.result(0) for future in futures] == [None] * 10


def test_a_manual_executor_keeps_what_is_asked_for() -> None:
    pool = ManualExecutor()
    view = pool.options(reserve=5)
    ran: list[str] = []
    pool.submit(ran.append, "plain")
    view.submit(ran.append, "view")
    view.options(priority=-1).submit(ran.append, "urgent")
    pool.run_all()
    assert ran == ["urgent", "plain", "view"]


# ---- in a bounded pool


@pytest.mark.parametrize("when_full", ["block", "raise", "run", "drop_oldest"])
def test_a_full_queue_keeps_no_view_with_a_reserve_out(
    make_pool: Callable[..., Any], gate: Gate, when_full: str
) -> None:
    pool = make_pool(3, max_pending=2, when_full=when_full)
    view = pool.options(reserve=1)
    futures = flood(pool, gate, 2, 2)
    futures += [pool.submit(gate.wait) for _ in range(2)]
    assert pool.try_submit(abs, -1) is None
    for _ in range(10):
        assert view.submit(abs, -1).result(LIMIT) == 1
        assert view.try_submit(abs, -2).result(LIMIT) == 2
    assert asyncio.run(call(view)) == 3
    assert pool.try_submit(abs, -1) is None
    assert not any(future.cancelled() for future in futures)


async def call(view: Any) -> int:
    return int(await (await view.submit_async(abs, -3)))


def test_its_own_queue_has_the_bound(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(2, max_pending=2, when_full="raise")
    view = pool.options(reserve=1)
    flood(view, gate, 2, 2)
    futures = [view.submit(gate.wait) for _ in range(2)]
    with pytest.raises(treadle.errors.QueueFull, match="2 calls wait"):
        view.submit(gate.wait)
    assert view.try_submit(gate.wait) is None
    assert pool.submit(abs, -1).cancel()
    assert view.try_submit(gate.wait) is None
    assert futures[0].cancel()
    assert view.try_submit(gate.wait) is not None


def test_it_drops_its_own_oldest(make_pool: Callable[..., Any], gate: Gate) -> None:
    pool = make_pool(2, max_pending=1, when_full="drop_oldest")
    view = pool.options(reserve=1)
    flood(pool, gate, 1, 1)
    flood(view, gate, 1, 1)
    others, own = pool.submit(gate.wait), view.submit(gate.wait)
    newer = view.submit(gate.wait)
    assert own.cancelled()
    assert not others.cancelled()
    newest = pool.submit(gate.wait)
    assert others.cancelled()
    assert not newer.cancelled()
    gate.open()
    assert newer.result(LIMIT) is newest.result(LIMIT) is None


@pytest.mark.parametrize("closed", ["pool", "view"])
def test_who_waits_for_room_in_it_goes_on(
    make_pool: Callable[..., Any], gate: Gate, closed: str
) -> None:
    pool = make_pool(2, max_pending=1)
    view = pool.options(reserve=1)
    flood(view, gate, 2, 2)
    view.submit(gate.wait)
    blocked = in_thread(view.submit, abs, -1)
    assert eventually(lambda: view.try_submit(abs, -1) is None)
    if closed == "pool":
        pool.shutdown(wait=False)
        with pytest.raises(RuntimeError, match="after shutdown"):
            blocked.get()
    else:
        view.shutdown(wait=False)  # it came before
        gate.open()
        assert blocked.get().result(LIMIT) == 1


@pytest.mark.parametrize("when_full", ["block", "raise", "run", "drop_oldest"])
def test_streams_of_a_view_respect_its_bound(make_pool: Callable[..., Any], when_full: str) -> None:
    pool = make_pool(3, max_pending=2, when_full=when_full)
    with pool.options(reserve=2) as view:
        assert list(view.stream(abs, range(-50, 0))) == [*range(50, 0, -1)]
        assert list(view.iterate(range, 5)) == [0, 1, 2, 3, 4]
