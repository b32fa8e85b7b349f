"""Many calls at once on a bounded pool: `submit_many`, `map`, `stream`, `iterate`."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, in_thread, occupy
from treadle.errors import QueueFull, TimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    MakePool = Callable[..., treadle.ThreadPoolExecutor]

pytestmark = pytest.mark.ours

BOUNDS = [1, 3, 100]
WAITING_POLICIES = ["block", "run"]


@pytest.fixture(params=BOUNDS)
def bound(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=WAITING_POLICIES)
def pool(
    request: pytest.FixtureRequest, make_executor: MakePool, workers: int, bound: int
) -> treadle.ThreadPoolExecutor:
    return make_executor(workers, max_pending=bound, when_full=request.param)


class TestSubmitMany:
    def test_every_call_is_made_and_never_too_many_wait(
        self, pool: treadle.ThreadPoolExecutor, bound: int
    ) -> None:
        waiting: list[int] = []

        def task(number: int) -> int:
            waiting.append(pool._queue_size())
            return number

        futures = pool.submit_many(task, range(500))
        assert [future.result(LIMIT) for future in futures] == list(range(500))
        assert max(waiting) <= bound
        assert pool.submit_many(task, []) == []

    def test_in_a_worker(self, pool: treadle.ThreadPoolExecutor) -> None:
        def parent() -> list[int]:
            return [future.result() for future in pool.submit_many(abs, range(300))]

        assert pool.submit(parent).result(LIMIT) == list(range(300))

    def test_raise_queues_all_or_none(self, make_executor: MakePool, gate: Gate) -> None:
        pool = make_executor(1, max_pending=5, when_full="raise")
        occupy(pool, gate, 1)
        pool.submit(str)
        with pytest.raises(QueueFull, match="holds 5 at most"):
            pool.submit_many(str, range(5))
        assert pool._queue_size() == 1
        futures = pool.submit_many(str, range(4))
        gate.open()
        assert [future.result(LIMIT) for future in futures] == ["0", "1", "2", "3"]

    def test_drop_oldest_keeps_the_last(self, make_executor: MakePool, gate: Gate) -> None:
        pool = make_executor(1, max_pending=5, when_full="drop_oldest")
        occupy(pool, gate, 1)
        futures = pool.submit_many(str, range(20))
        assert [future.cancelled() for future in futures] == [True] * 15 + [False] * 5

    def test_a_shutdown_in_between_cancels_what_was_queued(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = make_executor(1, max_pending=5)
        occupy(pool, gate, 1)
        ran: list[int] = []
        batch = in_thread(pool.submit_many, ran.append, range(20))
        pool.shutdown(wait=False)
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            batch.get()
        gate.open()
        pool.shutdown()
        assert ran == []


class TestMap:
    def test_results_come_in_order(self, pool: treadle.ThreadPoolExecutor) -> None:
        assert list(pool.map(abs, range(500))) == list(range(500))
        assert list(pool.map(pow, [2, 3], itertools.count(1))) == [2, 9]
        assert list(pool.map(abs, range(50), buffersize=2)) == list(range(50))
        assert list(pool.map(abs, [])) == []

    def test_unordered_results_are_all_there(self, pool: treadle.ThreadPoolExecutor) -> None:
        assert sorted(pool.map_unordered(abs, range(500))) == list(range(500))
        assert sorted(pool.map_unordered(abs, range(50), buffersize=3)) == list(range(50))

    def test_in_a_worker(self, pool: treadle.ThreadPoolExecutor) -> None:
        def parent(depth: int) -> int:
            if depth == 0:
                return 1
            return sum(pool.map(parent, [depth - 1] * 4)) + sum(
                pool.map_unordered(parent, [depth - 1] * 2)
            )

        assert pool.submit(parent, 3).result(LIMIT) == 6**3

    def test_items_are_taken_as_the_reader_reads(self, pool: treadle.ThreadPoolExecutor) -> None:
        most = (pool._max_pending or 0) + pool._max_workers
        numbers = itertools.count()
        results = pool.map(abs, numbers)
        assert [next(results) for _ in range(10)] == list(range(10))
        assert next(numbers) <= most + 11

    def test_it_needs_no_room_while_a_call_of_its_own_is_under_way(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool = make_executor(1, max_pending=2, when_full="raise")
        results = pool.map(gate.wait, range(100))
        gate.await_arrivals(1)
        while pool.try_submit(str) is not None:
            pass
        gate.open()
        assert next(results) == 0

    @pytest.mark.parametrize("ordered", [True, False])
    def test_the_time_limit_counts_the_wait_for_room(
        self, make_executor: MakePool, gate: Gate, ordered: bool
    ) -> None:
        pool = make_executor(1, max_pending=1)
        occupy(pool, gate, 1)
        pool.submit(str)
        mapped = pool.map if ordered else pool.map_unordered
        with pytest.raises(TimeoutError):
            list(mapped(str, range(10), timeout=0.02))

    def test_an_error_of_the_items_comes_after_the_results_before(
        self, pool: treadle.ThreadPoolExecutor
    ) -> None:
        def items() -> Iterator[int]:
            yield 1
            yield 2
            raise KeyError

        results = pool.map(abs, items())
        assert [next(results), next(results)] == [1, 2]
        with pytest.raises(KeyError):
            next(results)

    def test_what_is_not_read_is_cancelled(self, make_executor: MakePool, gate: Gate) -> None:
        pool = make_executor(1, max_pending=5, when_full="raise")
        begun = [Gate(), gate]
        results: Any = pool.map(lambda one: one.wait(), [*begun, *[Gate()] * 50])
        begun[0].open()
        assert next(results) is None
        gate.await_arrivals(1)
        results.close()
        futures = pool.submit_many(str, range(5))
        gate.open()
        assert [future.result(LIMIT) for future in futures] == ["0", "1", "2", "3", "4"]

    def test_an_overridden_submit_is_called_for_every_item(self, make_executor: MakePool) -> None:
        called: list[Any] = []

        class Counting(treadle.ThreadPoolExecutor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
                called.append(args)
                return super().submit(fn, *args, **kwargs)

        pool = make_executor(2, max_pending=2, executor_type=Counting)
        assert list(pool.map(abs, range(50))) == list(range(50))
        assert list(pool.stream(abs, range(50), concurrency=20)) == list(range(50))
        assert len(pool.submit_many(abs, range(50))) == 50
        assert len(called) == 150


async def later(items: Iterable[int]) -> AsyncIterator[int]:
    for item in items:
        await asyncio.sleep(0)
        yield item


class TestStream:
    @pytest.mark.parametrize("ordered", [True, False])
    def test_more_in_flight_than_room(
        self, pool: treadle.ThreadPoolExecutor, ordered: bool
    ) -> None:
        stream = pool.stream(abs, range(300), concurrency=50, ordered=ordered)
        assert sorted(stream) == list(range(300))

    @pytest.mark.parametrize("ordered", [True, False])
    def test_read_by_a_loop(self, pool: treadle.ThreadPoolExecutor, ordered: bool) -> None:
        async def main(items: Any) -> list[int]:
            stream = pool.stream(abs, items, concurrency=50, ordered=ordered)
            return sorted([item async for item in stream])

        assert asyncio.run(main(range(300))) == list(range(300))
        assert asyncio.run(main(later(range(300)))) == list(range(300))

    def test_in_a_worker(self, pool: treadle.ThreadPoolExecutor) -> None:
        def parent() -> int:
            return sum(pool.stream(abs, range(100), concurrency=50))

        assert pool.submit(parent).result(LIMIT) == 4950

    @pytest.mark.parametrize("source", [range(50), None])
    def test_a_queue_that_others_have_filled_does_not_block_the_loop(
        self, make_executor: MakePool, gate: Gate, source: Any
    ) -> None:
        pool = make_executor(1, max_pending=1)
        occupy(pool, gate, 1)
        pool.submit(str)

        async def main() -> list[int]:
            asyncio.get_running_loop().call_soon(gate.open)  # the loop has to come to that
            items = later(range(50)) if source is None else source
            return [item async for item in pool.stream(abs, items)]

        assert asyncio.run(main()) == list(range(50))

    def test_on_trio(self, make_executor: MakePool, gate: Gate) -> None:
        trio = pytest.importorskip("trio")
        pool = make_executor(1, max_pending=1)
        occupy(pool, gate, 1)
        pool.submit(str)

        async def items() -> AsyncIterator[int]:
            for number in range(50):
                yield number

        async def main() -> list[int]:
            threading.Timer(0.05, gate.open).start()
            return [item async for item in pool.stream(abs, items(), concurrency=9)]

        assert trio.run(main) == list(range(50))

    def test_closed_while_it_holds_an_item(self, make_executor: MakePool, gate: Gate) -> None:
        pool = make_executor(1, max_pending=1)
        stream = pool.stream(gate.wait, range(50), concurrency=9)
        reader = in_thread(next, stream)
        gate.await_arrivals(1)
        gate.open()
        assert reader.get() == 0
        stream.close()
        assert list(stream) == []
        assert pool.submit(str, 1).result(LIMIT) == "1"


class TestIterate:
    @pytest.mark.parametrize("policy", WAITING_POLICIES)
    def test_a_worker_runs_the_generator_though_the_queue_was_full(
        self, make_executor: MakePool, gate: Gate, policy: str
    ) -> None:
        pool = make_executor(1, max_pending=1, when_full=policy)
        occupy(pool, gate, 1)
        pool.submit(str)
        iterating = in_thread(lambda: pool.iterate(range, 500, buffersize=2))
        gate.open()
        assert list(iterating.get()) == list(range(500))

    @pytest.mark.parametrize("policy", WAITING_POLICIES)
    def test_in_the_only_worker(self, make_executor: MakePool, policy: str) -> None:
        pool = make_executor(1, max_pending=1, when_full=policy)

        def parent() -> int:
            pool.submit(str)
            return sum(pool.iterate(range, 100, buffersize=2))

        assert pool.submit(parent).result(LIMIT) == 4950
