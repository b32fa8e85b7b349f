"""A queue with `max_pending`: what each policy does at each edge."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.bounded import full_pool
from support.waiting import LIMIT, Gate, in_thread, occupy, throw
from treadle.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., treadle.ThreadPoolExecutor]

pytestmark = pytest.mark.ours

POLICIES = ["block", "raise", "run", "drop_oldest"]
BOUNDS = [1, 2, 7]


class TestArguments:
    @pytest.mark.parametrize("bound", [0, -1, -(2**70)])
    def test_a_bound_that_is_not_positive_is_a_value_error(
        self, make_executor: MakePool, bound: int
    ) -> None:
        with pytest.raises(ValueError, match=f"max_pending must be a positive .*, not {bound}"):
            make_executor(1, max_pending=bound)

    @pytest.mark.parametrize("bound", ["3", 1.5, True, (1,)])
    def test_a_bound_that_is_no_integer_is_a_type_error(
        self, make_executor: MakePool, bound: Any
    ) -> None:
        with pytest.raises(TypeError, match="max_pending must be a positive integer or None, not"):
            make_executor(1, max_pending=bound)

    def test_a_policy_is_one_of_four(self, make_executor: MakePool) -> None:
        with pytest.raises(ValueError, match=r"one of block, raise, run, drop_oldest, not 'wait'"):
            make_executor(1, when_full="wait")
        with pytest.raises(TypeError, match="when_full must be a string"):
            make_executor(1, when_full=None)

    def test_both_go_by_keyword_only(self) -> None:
        with pytest.raises(TypeError):
            treadle.ThreadPoolExecutor(1, "", None, (), 3)  # type: ignore[misc]

    @pytest.mark.parametrize("bound", [2**62, 2**70, 10**400])
    def test_a_bound_beyond_all_memory_is_none(self, make_executor: MakePool, bound: int) -> None:
        pool = make_executor(1, max_pending=bound)
        assert pool.submit(pow, 2, 3).result(LIMIT) == 8
        assert list(pool.map(abs, [-1])) == [1]

    def test_a_bound_is_whatever_counts(self, make_executor: MakePool) -> None:
        class Integer:
            def __index__(self) -> int:
                return 5

        assert make_executor(1, max_pending=Integer()).submit(pow, 2, 3).result(LIMIT) == 8

    @pytest.mark.parametrize("policy", POLICIES)
    def test_a_call_that_cannot_be_made_is_refused_before_the_queue_is_looked_at(
        self, make_executor: MakePool, gate: Gate, policy: str
    ) -> None:
        async def asynchronous() -> None: ...

        pool, queued = full_pool(make_executor, gate, 1, policy)
        for submit in (pool.submit, pool.try_submit):
            with pytest.raises(TypeError, match="missing 1 required"):
                submit()  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="asynchronous"):
                submit(asynchronous)
        assert not queued[0].done()


@pytest.mark.parametrize("bound", BOUNDS)
class TestEachPolicyWhenFull:
    def test_block_waits_until_a_worker_takes_one(
        self, make_executor: MakePool, gate: Gate, bound: int
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, "block")
        submitted = threading.Event()

        def submit() -> treadle.Future[str]:
            future = pool.submit(str, "late")
            submitted.set()
            return future

        late = in_thread(submit)
        assert not submitted.wait(0.01)
        assert pool._queue_size() == bound
        gate.open()
        assert late.get().result(LIMIT) == "late"
        assert [future.result(LIMIT) for future in queued] == [str(n) for n in range(bound)]

    def test_raise_raises_queue_full_and_queues_nothing(
        self, make_executor: MakePool, gate: Gate, bound: int
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, "raise")
        with pytest.raises(QueueFull, match=f"{bound} calls wait in it") as caught:
            pool.submit(str, "late")
        assert isinstance(caught.value, RuntimeError)
        assert isinstance(caught.value, queue.Full)
        assert pool._queue_size() == bound
        gate.open()
        assert [future.result(LIMIT) for future in queued] == [str(n) for n in range(bound)]
        assert pool.submit(str, "room").result(LIMIT) == "room"

    def test_run_makes_the_call_in_the_caller(
        self, make_executor: MakePool, gate: Gate, bound: int
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, "run")
        future = pool.submit(threading.get_ident)
        assert future.done()
        assert future.result() == threading.get_ident()
        failed = pool.submit(throw, KeyError("mine"))
        assert isinstance(failed.exception(), KeyError)
        assert pool._queue_size() == bound
        assert not any(future.done() for future in queued)

    def test_drop_oldest_cancels_the_one_that_has_waited_longest(
        self, make_executor: MakePool, gate: Gate, bound: int
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, "drop_oldest")
        told: list[Any] = []
        queued[0].add_done_callback(told.append)
        waiter = in_thread(treadle.wait, [queued[0]])
        late = pool.submit(str, "late")
        assert queued[0].cancelled()
        assert told == [queued[0]]
        assert waiter.get().done == {queued[0]}
        assert pool._queue_size() == bound
        gate.open()
        assert [future.result(LIMIT) for future in [*queued[1:], late]] == [
            *(str(n) for n in range(1, bound)),
            "late",
        ]

    @pytest.mark.parametrize("policy", POLICIES)
    def test_try_submit_gives_none(
        self, make_executor: MakePool, gate: Gate, bound: int, policy: str
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, policy)
        assert pool.try_submit(str, "late") is None
        assert not any(future.done() for future in queued)
        assert queued[-1].cancel()
        future = pool.try_submit(str, "room")
        assert future is not None
        gate.open()
        assert future.result(LIMIT) == "room"

    @pytest.mark.parametrize("policy", POLICIES)
    def test_after_shutdown_a_full_queue_is_refused_as_any_other(
        self, make_executor: MakePool, gate: Gate, bound: int, policy: str
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, policy)
        pool.shutdown(wait=False)
        refused: list[Callable[..., Any]] = [
            pool.submit,
            pool.try_submit,
            lambda fn: pool.submit_many(fn, range(2)),
            lambda fn: pool._submit_in_time(0, fn),
        ]
        for submit in refused:
            with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
                submit(str)
        assert not any(future.done() for future in queued)
        gate.open()
        assert [future.result(LIMIT) for future in queued] == [str(n) for n in range(bound)]

    @pytest.mark.parametrize("policy", POLICIES)
    def test_a_cancelled_call_makes_room_at_once(
        self, make_executor: MakePool, gate: Gate, bound: int, policy: str
    ) -> None:
        pool, queued = full_pool(make_executor, gate, bound, policy)
        room: list[Any] = []
        queued[0].add_done_callback(lambda _: room.append(pool.try_submit(str, "in its place")))
        assert queued[0].cancel()
        assert room[0] is not None
        assert pool.try_submit(str) is None


class TestWhatIsCancelled:
    def test_cancelled_calls_do_not_pile_up(self, make_executor: MakePool, gate: Gate) -> None:
        pool = make_executor(1, max_pending=5, when_full="raise")
        occupy(pool, gate, 1)
        kept = pool.submit(str, "kept")
        for _ in range(1000):
            assert pool.submit(str).cancel()
            assert pool._queue_size() <= 64
        gate.open()
        assert kept.result(LIMIT) == "kept"

    def test_a_call_that_its_waiter_runs_makes_room(self, make_executor: MakePool) -> None:
        pool = make_executor(1, max_pending=1, when_full="raise")

        def parent() -> list[str]:
            return [pool.submit(str, number).result() for number in range(200)]

        assert pool.submit(parent).result(LIMIT) == [str(number) for number in range(200)]
        assert pool._queue_size() <= 64

    def test_items_taken_from_the_work_queue_make_room(
        self, make_executor: MakePool, gate: Gate
    ) -> None:
        pool, queued = full_pool(make_executor, gate, 1, "raise")
        item = pool._work_queue.get_nowait()
        assert item.future is queued[0]
        late = pool.submit(str, "late")
        item.run()
        gate.open()
        assert [queued[0].result(LIMIT), late.result(LIMIT)] == ["0", "late"]

    def test_a_dropped_call_does_not_count_twice(self, make_executor: MakePool, gate: Gate) -> None:
        pool, _ = full_pool(make_executor, gate, 2, "drop_oldest")
        late = [pool.submit(str, number) for number in range(100)]
        assert sum(future.cancelled() for future in late) == 98
        assert pool.try_submit(str) is None
        assert late[-1].cancel()
        assert pool.try_submit(str) is not None
        assert pool.try_submit(str) is None


class TestInAChild:
    def test_ctrl_c_ends_a_blocked_submit(self, run_child: Callable[..., str]) -> None:
        assert run_child(
            """
            import os, signal, threading
            signal.signal(signal.SIGINT, signal.default_int_handler)
            pool = ThreadPoolExecutor(1, max_pending=1)
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            pool.submit(str)
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            ran = []
            try:
                pool.submit(ran.append, 1)
            except KeyboardInterrupt:
                print("interrupted", pool._queue_size())
            release.set()
            pool.shutdown()
            print(ran)
            """
        ).split() == ["interrupted", "1", "[]"]

    def test_ctrl_c_in_a_call_that_the_main_thread_runs_is_its_own(
        self, run_child: Callable[..., str]
    ) -> None:
        assert (
            run_child(
                """
            import os, signal, threading
            signal.signal(signal.SIGINT, signal.default_int_handler)
            pool = ThreadPoolExecutor(1, max_pending=1, when_full="run")
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            pool.submit(str)
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            try:
                pool.submit(time.sleep, 20)
            except KeyboardInterrupt:
                print("interrupted")
            release.set()
            pool.shutdown()
            """
            ).strip()
            == "interrupted"
        )

    def test_ctrl_c_in_a_batch_cancels_what_was_queued(self, run_child: Callable[..., str]) -> None:
        assert run_child(
            """
            import os, signal, threading
            signal.signal(signal.SIGINT, signal.default_int_handler)
            pool = ThreadPoolExecutor(1, max_pending=5)
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            ran = []
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            try:
                pool.submit_many(ran.append, range(20))
            except KeyboardInterrupt:
                print("interrupted")
            release.set()
            pool.shutdown()
            print(ran)
            """
        ).split() == ["interrupted", "[]"]

    def test_a_signal_handler_may_submit_while_a_submit_is_blocked(
        self, run_child: Callable[..., str]
    ) -> None:
        assert run_child(
            """
            import os, signal, threading
            pool = ThreadPoolExecutor(1, max_pending=1)
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            pool.submit(str)
            ran = []
            def handler(*_):
                release.set()
                for number in range(5):
                    pool.submit(ran.append, number)
            signal.signal(signal.SIGUSR1, handler)
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1]).start()
            pool.submit(ran.append, 5)
            pool.shutdown()
            print(sorted(ran))
            """
        ).strip() == str(list(range(6)))

    def test_the_end_of_the_interpreter_ends_a_blocked_submit(
        self, run_child: Callable[..., str]
    ) -> None:
        assert (
            run_child(
                """
            import threading
            pool = ThreadPoolExecutor(1, max_pending=1)
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            pool.submit(str)
            def blocked():
                try:
                    pool.submit(str)
                except RuntimeError as error:
                    print(error)
                release.set()
            threading.Thread(target=blocked).start()
            """
            ).strip()
            == "cannot schedule new futures after interpreter shutdown"
        )

    def test_a_forked_child_has_all_the_room(self, run_child: Callable[..., str]) -> None:
        assert run_child(
            """
            import os, sys, threading
            pool = ThreadPoolExecutor(1, max_pending=2, when_full="raise")
            release, begun = threading.Event(), threading.Event()
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            queued = [pool.submit(str, n) for n in range(2)]
            blocked = threading.Thread(target=pool._submit_in_time, args=(20, str))
            blocked.start()
            child = os.fork()
            if child == 0:
                cancelled = all(future.cancelled() for future in queued)
                results = [pool.submit(str, n).result() for n in range(5)]
                print(cancelled, results, flush=True)
                pool.shutdown()
                os._exit(0)
            os.waitpid(child, 0)
            release.set()
            blocked.join()
            print([future.result() for future in queued])
            """
        ).splitlines() == ["True ['0', '1', '2', '3', '4']", "['0', '1']"]
