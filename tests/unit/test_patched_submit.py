"""Tools that replace `submit` on the standard class: ours obeys them, and forgets them after."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import unittest.mock
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, in_thread, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.ours

StandardPool = concurrent.futures.ThreadPoolExecutor


class Patch:
    """Wraps tasks as tracing tools do: changes the callable, calls the original `submit`."""

    def __init__(self) -> None:
        self.original = StandardPool.submit
        self.submitted: list[Any] = []
        self.ran: list[Any] = []

    def submit(self, pool: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.submitted.append(fn)

        @functools.wraps(fn)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.ran.append(fn)
            return fn(*args, **kwargs)

        return self.original(pool, wrapped, *args, **kwargs)


@pytest.fixture
def pool(executor: Any) -> treadle.ThreadPoolExecutor:
    """A pool made before the patch."""
    return executor


@pytest.fixture
def patch(pool: treadle.ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patch]:
    """A tool at work."""
    assert pool.submit(int).result(LIMIT) == 0
    one = Patch()

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return one.submit(self, fn, *args, **kwargs)

    monkeypatch.setattr(StandardPool, "submit", submit)
    return one


def test_a_patch_sees_each_submission_and_each_run(
    pool: treadle.ThreadPoolExecutor, patch: Patch
) -> None:
    assert pool.submit(pow, 2, 5).result(LIMIT) == 32
    assert pool.submit(int, "11", base=2).result(LIMIT) == 3
    assert patch.submitted == [pow, int]
    assert patch.ran == [pow, int]


def test_a_patch_sees_a_pool_made_after_it(
    make_executor: Callable[..., Any], workers: int, patch: Patch
) -> None:
    pool = make_executor(workers)
    assert pool.submit(abs, -1).result(LIMIT) == 1
    assert patch.ran == [abs]


def test_the_future_is_a_whole_one(
    pool: treadle.ThreadPoolExecutor, patch: Patch, gate: Gate, workers: int
) -> None:
    running = occupy(pool, gate, workers)
    queued, cancelled = pool.submit(int, 4), pool.submit(int)
    assert isinstance(queued, treadle.Future)
    assert running[0].running()
    assert not queued.done()
    assert cancelled.cancel()
    seen: list[Any] = []
    queued.add_done_callback(seen.append)
    gate.open()
    assert queued.result(LIMIT) == 4
    assert treadle.wait([queued, cancelled, *running], LIMIT).not_done == set()
    assert concurrent.futures.wait([queued, cancelled, *running], LIMIT).not_done == set()
    assert cancelled.cancelled()
    assert len(patch.ran) == workers + 1


def test_exceptions_pass_through_the_wrapper(
    pool: treadle.ThreadPoolExecutor, patch: Patch
) -> None:
    error = ValueError("passed")
    assert pool.submit(throw, error).exception(LIMIT) is error
    assert patch.ran == [throw]


@pytest.mark.parametrize("buffersize", [None, 2])
def test_map_goes_through_the_patch(
    pool: treadle.ThreadPoolExecutor, patch: Patch, buffersize: int | None
) -> None:
    assert list(pool.map(int, range(10), buffersize=buffersize)) == list(range(10))
    assert sorted(pool.map_unordered(int, range(5), buffersize=buffersize)) == list(range(5))
    assert len(patch.submitted) == len(patch.ran) == 15


def test_submit_many_goes_through_the_patch(pool: treadle.ThreadPoolExecutor, patch: Patch) -> None:
    futures = pool.submit_many(int, range(10))
    assert [future.result(LIMIT) for future in futures] == list(range(10))
    assert len(patch.submitted) == len(patch.ran) == 10


def test_errors_of_submit_pass_through_the_patch(
    pool: treadle.ThreadPoolExecutor, patch: Patch
) -> None:
    pool.shutdown()
    with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
        pool.submit(int)
    assert patch.submitted == [int]


def test_many_threads_may_submit_through_a_patch(
    pool: treadle.ThreadPoolExecutor, patch: Patch
) -> None:
    def produce(start: int) -> list[int]:
        futures = [pool.submit(int, start + number) for number in range(100)]
        return [future.result(LIMIT) for future in futures]

    threads = [in_thread(produce, 100 * number) for number in range(4)]
    results = [number for thread in threads for number in thread.get()]
    assert results == list(range(400))
    assert len(patch.ran) == 400


def test_tasks_may_submit_and_wait_through_a_patch(
    make_executor: Callable[..., Any], patch: Patch
) -> None:
    pool = make_executor(1)
    assert pool.submit(lambda: pool.submit(int, 8).result(LIMIT)).result(LIMIT) == 8
    assert len(patch.ran) == 2


def test_a_removed_patch_is_forgotten(
    pool: treadle.ThreadPoolExecutor, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pool.submit(int).result(LIMIT) == 0
    monkeypatch.undo()
    for _ in range(5):
        assert pool.submit(int, 2).result(LIMIT) == 2
    assert list(pool.map(int, [1, 2])) == [1, 2]
    assert patch.submitted == [int]


def test_a_patch_put_twice_wraps_twice(
    pool: treadle.ThreadPoolExecutor, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = Patch()
    monkeypatch.setattr(
        StandardPool, "submit", lambda self, fn, /, *args: outer.submit(self, fn, *args)
    )
    assert pool.submit(abs, -3).result(LIMIT) == 3
    assert outer.ran == [abs]
    assert len(patch.ran) == 1


def test_a_patch_may_submit_nothing_and_answer_itself(
    pool: treadle.ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = concurrent.futures.Future[str]()
    answer.set_result("answered by the tool")
    monkeypatch.setattr(StandardPool, "submit", lambda *_, **__: answer)
    assert pool.submit(throw, ValueError()) is answer


def test_a_mock_on_the_standard_class_is_called(pool: treadle.ThreadPoolExecutor) -> None:
    with unittest.mock.patch.object(StandardPool, "submit", autospec=True) as submit:
        submit.return_value = "mocked"
        assert pool.submit(int, 5) == "mocked"
    submit.assert_called_once_with(pool, int, 5)
    assert pool.submit(int, 5).result(LIMIT) == 5


def test_a_mock_on_our_class_is_called(pool: treadle.ThreadPoolExecutor) -> None:
    with unittest.mock.patch.object(treadle.ThreadPoolExecutor, "submit") as submit:
        submit.return_value.result.return_value = "mocked"
        assert pool.submit(int, 5).result() == "mocked"
        assert list(pool.map(int, [5])) == ["mocked"]
    assert pool.submit(int, 5).result(LIMIT) == 5
    assert list(pool.map(int, [5])) == [5]


def test_a_mock_on_one_pool_is_called(pool: treadle.ThreadPoolExecutor) -> None:
    with unittest.mock.patch.object(pool, "submit") as submit:
        submit.return_value.result.return_value = "mocked"
        assert pool.submit(int, 5).result() == "mocked"
        assert list(pool.map(int, [5])) == ["mocked"]
    assert pool.submit(int, 5).result(LIMIT) == 5


def test_standard_pools_are_patched_as_ever(patch: Patch) -> None:
    with StandardPool(1) as standard:
        assert standard.submit(int, 3).result(LIMIT) == 3
    assert patch.ran == [int]


def test_tools_see_calls_that_look_for_room(
    make_executor: Callable[..., Any], patch: Patch, gate: Gate
) -> None:
    bounded = make_executor(1, max_pending=1)
    occupy(bounded, gate, 1)
    future = bounded.try_submit(int, 1)
    assert type(future) is treadle.Future
    assert bounded.try_submit(int, 2) is None

    async def main() -> Any:
        waiting = asyncio.ensure_future(bounded.submit_async(int, 3))
        await asyncio.sleep(0)
        gate.open()
        return await (await waiting)

    assert asyncio.run(main()) == 3
    assert future.result(LIMIT) == 1
    assert patch.submitted == [gate.wait, int, int, int]
    assert patch.ran == [gate.wait, int, int]
    assert list(bounded.map(int, range(20))) == list(range(20))
    assert list(bounded.stream(int, range(20), concurrency=9)) == list(range(20))
    assert len(patch.ran) == 43
