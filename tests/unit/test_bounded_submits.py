"""A submit that finds the queue full: it waits for room, or its caller runs the call."""

from __future__ import annotations

import contextvars
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.bounded import full_pool
from support.waiting import LIMIT, Gate, in_thread, occupy, throw
from treadle.errors import BrokenThreadPool, CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., treadle.ThreadPoolExecutor]

pytestmark = pytest.mark.ours

POLICIES = ["block", "raise", "run", "drop_oldest"]
BOUNDS = [1, 2, 7]


class TestBlockedSubmits:
    def test_shutdown_ends_them(self, make_executor: MakePool, gate: Gate) -> None:
        pool, queued = full_pool(make_executor, gate, 1, "block")
        blocked = [in_thread(pool.submit, str, "late") for _ in range(5)]
        pool.shutdown(wait=False)
        for one in blocked:
            with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
                one.get()
        gate.open()
        assert queued[0].result(LIMIT) == "0"

    def test_a_pool_that_breaks_ends_them(self, make_executor: MakePool, futures_log: Any) -> None:
        begin = Gate()

        def initialize() -> None:
            begin.wait()
            raise ValueError

        pool = make_executor(1, max_pending=1, initializer=initialize)
        queued = pool.submit(str)
        blocked = [in_thread(pool.submit, str) for _ in range(3)]
        begin.open()
        for one in blocked:
            with pytest.raises(BrokenThreadPool):
                one.get()
        with pytest.raises(BrokenThreadPool):
            queued.result(LIMIT)
        pool.shutdown()
        assert futures_log.take_texts() != []

    def test_all_who_wait_are_served(self, make_executor: MakePool, gate: Gate) -> None:
        pool, _ = full_pool(make_executor, gate, 1, "block")
        ran: list[int] = []
        blocked = [in_thread(pool.submit, ran.append, number) for number in range(8)]
        gate.open()
        for one in blocked:
            one.get().result(LIMIT)
        assert sorted(ran) == list(range(8))

    @pytest.mark.parametrize("count", [2, 5])
    def test_whoever_fits_gets_in_though_every_worker_is_busy_again(
        self, make_executor: MakePool, count: int
    ) -> None:
        pool = make_executor(count, max_pending=count)
        for _ in range(20):
            first, second = Gate(), Gate()
            occupy(pool, first, count)
            for _ in range(count):
                pool.submit(second.wait)
            let_in = threading.Semaphore(0)

            def submit_once(let_in: threading.Semaphore = let_in) -> None:
                pool.submit(str)
                let_in.release()

            blocked = [in_thread(submit_once) for _ in range(count + 3)]
            first.open()
            second.await_arrivals(count)
            for _ in range(count):
                assert let_in.acquire(timeout=LIMIT)
            second.open()
            for one in blocked:
                one.get()

    def test_many_of_them_never_exceed_the_bound(self, make_executor: MakePool, gate: Gate) -> None:
        bound = 3
        pool = make_executor(2, max_pending=bound)
        begun = itertools.count()
        waiting = []
        results: list[list[treadle.Future[int]]] = [[] for _ in range(4)]

        def task(number: int) -> int:
            waiting.append(pool._queue_size())
            next(begun)
            return number

        def produce(results: list[treadle.Future[int]]) -> None:
            results.extend(pool.submit(task, number) for number in range(500))

        producers = [in_thread(produce, into) for into in results]
        for producer in producers:
            producer.get()
        for futures in results:
            assert [future.result(LIMIT) for future in futures] == list(range(500))
        assert next(begun) == 2000
        assert max(waiting) <= bound

    def test_a_worker_runs_the_call_itself(self, make_executor: MakePool) -> None:
        pool = make_executor(1, max_pending=1)

        def parent() -> list[int]:
            futures = [pool.submit(threading.get_ident) for _ in range(20)]
            assert all(future.done() for future in futures[1:])
            return [future.result() for future in futures]

        assert len(set(pool.submit(parent).result(LIMIT))) == 1

    @pytest.mark.parametrize("policy", ["block", "run"])
    def test_calls_that_submit_the_next_one_end_however_many_they_are(
        self, make_executor: MakePool, policy: str
    ) -> None:
        pool = make_executor(1, max_pending=1, when_full=policy)
        over = threading.Event()

        def chain(left: int) -> None:
            if left:
                pool.submit(str)  # fills the queue
                pool.submit(chain, left - 1)
            else:
                over.set()

        pool.submit(chain, 200)
        assert over.wait(LIMIT)
        pool.shutdown()


class TestRunInTheCaller:
    @pytest.fixture
    def pool(self, make_executor: MakePool, gate: Gate) -> treadle.ThreadPoolExecutor:
        return full_pool(make_executor, gate, 1, "run")[0]

    def test_the_call_knows_its_task(self, pool: treadle.ThreadPoolExecutor) -> None:
        def named() -> list[str]:
            inner = pool.submit(lambda: treadle.current_task())
            outer = treadle.current_task()
            assert outer is not None
            return [outer.name, getattr(inner.result(), "name", "")]

        names = pool.submit(named).result()
        assert names[0].endswith("named")
        assert names[1].endswith("<lambda>")
        assert treadle.current_task() is None

    def test_the_call_can_be_asked_to_stop(self, pool: treadle.ThreadPoolExecutor) -> None:
        started = Gate()
        seen: list[treadle.Future[Any]] = []

        def stop_me() -> None:
            treadle.check_cancelled()
            started.wait()
            treadle.check_cancelled()

        def submit() -> None:
            seen.append(pool.submit(stop_me))

        started.open()
        in_thread(submit).get()
        assert seen[0].result() is None
        cancelled = pool.submit(throw, CancelledError())
        assert not cancelled.cancelled()
        assert isinstance(cancelled.exception(), CancelledError)

    def test_its_context_variables_are_its_own(self, pool: treadle.ThreadPoolExecutor) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

        def change() -> str:
            before = variable.get()
            variable.set("the call's")
            return before

        assert pool.submit(change).result() == "none"
        assert variable.get() == "none"
        token = variable.set("the caller's")
        assert pool.submit(change).result() == "the caller's"
        assert variable.get() == "the caller's"
        variable.reset(token)

    def test_without_propagation_it_sees_none(self, make_executor: MakePool, gate: Gate) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("other", default="none")
        pool = make_executor(1, max_pending=1, when_full="run", propagate_context=False)
        occupy(pool, gate, 1)
        pool.submit(str)
        token = variable.set("the caller's")
        assert pool.submit(variable.get).result() == "none"
        variable.reset(token)

    def test_a_worker_of_another_pool_runs_it_too(
        self, pool: treadle.ThreadPoolExecutor, make_executor: MakePool
    ) -> None:
        other = make_executor(1)

        def task() -> tuple[int, str, str]:
            future = pool.submit(lambda: treadle.current_task())
            mine = treadle.current_task()
            assert mine is not None
            return threading.get_ident(), getattr(future.result(), "name", ""), mine.name

        _, inner, outer = other.submit(task).result(LIMIT)
        assert inner.endswith("<lambda>")
        assert outer.endswith("task")

    def test_calls_without_end_are_a_recursion_error(
        self, pool: treadle.ThreadPoolExecutor
    ) -> None:
        def again() -> Any:
            return pool.submit(again).result()

        with pytest.raises(RecursionError):
            pool.submit(again).result()
        assert pool.submit(str, 1).result() == "1"
