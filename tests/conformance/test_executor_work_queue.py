"""`_work_queue`: the queue that other libraries look into, count and take from."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def test_the_queue_counts_what_waits(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    work_queue = executor._work_queue
    assert work_queue.qsize() == 0
    occupy(executor, gate, workers)
    assert work_queue.qsize() == 0
    futures = [executor.submit(int) for _ in range(7)]
    assert work_queue.qsize() == 7
    gate.open()
    for future in futures:
        future.result(LIMIT)
    assert work_queue.qsize() == 0


def test_an_item_of_the_queue_has_the_future_and_leaves_the_queue(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    ran: list[int] = []
    futures = [executor.submit(ran.append, number) for number in range(3)]
    item = executor._work_queue.get_nowait()
    assert item.future is futures[0]
    assert executor._work_queue.qsize() == 2
    gate.open()
    executor.shutdown()
    assert sorted(ran) == [1, 2]
    assert not futures[0].done()


def test_an_item_of_the_queue_can_be_cancelled_by_its_taker(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    futures = [executor.submit(int) for _ in range(5)]
    taken = [executor._work_queue.get_nowait().future for _ in range(5)]
    assert taken == futures
    assert all(future.cancel() for future in taken)
    with pytest.raises(queue.Empty):
        executor._work_queue.get_nowait()
    assert all(future.cancelled() for future in futures)


@pytest.mark.ours  # the standard library has some of these in some versions
def test_an_item_of_the_queue_shows_its_call(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1, "two"), {}),
        ((), {"key": 3}),
        ((1,), {"a": 2, "b": 3}),
    ]
    for args, kwargs in calls:
        executor.submit(print, *args, **kwargs)
    for args, kwargs in calls:
        item = executor._work_queue.get_nowait()
        assert (item.fn, tuple(item.args), dict(item.kwargs)) == (print, args, kwargs)
        assert item.task == (print, args, kwargs)
        item.future.cancel()


@pytest.mark.ours
def test_an_item_of_the_queue_can_be_run_by_its_taker(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    future = executor.submit(pow, 2, 5)
    item = executor._work_queue.get_nowait()
    assert item.future is future
    function, args, kwargs = item.task
    assert future.set_running_or_notify_cancel()
    future.set_result(function(*args, **kwargs))
    assert future.result(0) == 32
