"""`shutdown(timeout=)`: who still runs when the time is up, and what a later shutdown finds."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import pickle
import threading
import time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy
from treadle.errors import ShutdownTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours


def late(pool: Any, timeout: float = 0, **options: Any) -> ShutdownTimeout:
    with pytest.raises(ShutdownTimeout) as caught:
        pool.shutdown(timeout=timeout, **options)
    return caught.value


def test_it_names_the_tasks_that_still_run(executor: Any, gate: Gate, workers: int) -> None:
    occupy(executor, gate, workers)
    error = late(executor)
    assert [task.name for task in error.tasks] == [Gate.wait.__qualname__] * workers
    assert all(task.function == gate.wait for task in error.tasks)
    assert {task.thread for task in error.tasks} == set(executor._threads)
    text = str(error)
    tasks = "task still runs" if workers == 1 else "tasks still run"
    assert text.startswith(f"{workers} {tasks} after 0 seconds: Gate.wait (for ")
    assert all(thread.name in text for thread in executor._threads)


def test_what_runs_goes_on_and_a_later_shutdown_waits_for_it(
    executor: Any, gate: Gate, workers: int
) -> None:
    running = occupy(executor, gate, workers)
    for _ in range(3):
        late(executor)
        assert not any(future.done() for future in running)
        assert outcome(executor.submit, int)[1] is RuntimeError
    down = in_thread(executor.shutdown)
    gate.open()
    assert down.get() is None
    assert all(future.done() for future in running)
    assert not any(thread.is_alive() for thread in executor._threads)


def test_the_queue_is_told_of_and_still_runs(executor: Any, gate: Gate, workers: int) -> None:
    occupy(executor, gate, workers)
    queued = executor.submit_many(int, range(3))
    assert " and 3 wait in the queue after 0 seconds: " in str(late(executor))
    assert not any(future.done() for future in queued)
    gate.open()
    executor.shutdown(timeout=LIMIT)
    assert [future.result(0) for future in queued] == [0, 1, 2]


def test_the_queue_may_be_cancelled_at_the_same_time(
    executor: Any, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    queued = executor.submit_many(int, range(3))
    assert "queue" not in str(late(executor, cancel_futures=True))
    assert all(future.cancelled() for future in queued)


@pytest.mark.parametrize("timeout", [0, 0.0, LIMIT, 10**30, Fraction(1, 2), Decimal(1)])
def test_a_pool_that_runs_nothing_ends_in_any_time(executor: Any, timeout: Any) -> None:
    executor.submit(int).result(LIMIT)
    assert eventually(lambda: executor._idle_workers() == executor._thread_count())
    executor.shutdown(timeout=timeout)
    assert not any(thread.is_alive() for thread in executor._threads)
    executor.shutdown(timeout=timeout)


def test_an_unused_pool_ends_at_once(executor: Any) -> None:
    executor.shutdown(timeout=0)


def test_seconds_count_from_the_first_shutdown_with_a_timeout(
    executor: Any, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    before = time.monotonic()
    first = late(executor)
    second = late(executor, 0.02)
    after = time.monotonic()
    for one, other in zip(first.tasks, second.tasks, strict=True):
        assert 0 <= one.seconds <= other.seconds - 0.02
        assert other.seconds <= after - before


@pytest.mark.worker_counts(1)
def test_seconds_of_a_task_that_starts_later_count_from_its_start(
    executor: Any, gate: Gate, workers: int
) -> None:
    second = Gate()
    occupy(executor, gate, workers)
    executor.submit(second.wait)
    begun = late(executor).tasks[0].seconds
    limit = late(executor, 0.02).tasks[0].seconds
    before = time.monotonic()
    gate.open()
    second.await_arrivals()
    (task,) = late(executor).tasks
    assert task.seconds <= time.monotonic() - before
    assert 0 <= begun <= limit
    second.open()


def test_a_stack_shows_where_a_task_is(executor: Any, gate: Gate) -> None:
    def outer() -> None:
        inner()

    def inner() -> None:
        gate.wait()

    executor.submit(outer)
    gate.await_arrivals()
    (task,) = late(executor).tasks
    names = [frame.name for frame in task.stack()]
    assert names[:2] == ["outer", "inner"]
    assert names[2] == "wait"
    gate.open()
    executor.shutdown()
    assert task.stack() == []


def test_a_stack_of_another_task_is_not_shown(executor: Any, gate: Gate) -> None:
    second = Gate()
    pool = treadle.ThreadPoolExecutor(1)
    pool.submit(gate.wait)
    pool.submit(second.wait)
    gate.await_arrivals()
    (task,) = late(pool).tasks
    assert task.stack() != []
    gate.open()
    second.await_arrivals()
    assert task.stack() == []
    second.open()
    pool.shutdown()


def test_a_stack_of_the_task_below_is_not_shown(gate: Gate) -> None:
    second = Gate()
    pool = treadle.ThreadPoolExecutor(1)

    def outer() -> None:
        pool.submit(gate.wait).result()
        second.wait()

    pool.submit(outer)
    gate.await_arrivals()
    below, above = late(pool).tasks
    assert below.function is outer
    assert above.stack() != []
    gate.open()
    second.await_arrivals()
    assert (above.stack(), below.stack() != []) == ([], True)
    second.open()
    pool.shutdown()


def test_what_is_void_in_the_queue_does_not_wait_there(gate: Gate) -> None:
    pool = treadle.ThreadPoolExecutor(1)
    pool.submit(lambda: pool.submit(gate.wait).result())  # which is run ahead of its turn
    gate.await_arrivals()
    assert all(future.cancel() for future in pool.submit_many(int, range(3)))
    assert str(late(pool)).startswith("2 tasks still run after 0 seconds: ")
    gate.open()
    pool.shutdown()


def wait_in_map(pool: Any, gate: Gate) -> None:
    pool.map(gate.wait, [None])


def wait_in_context(pool: Any, gate: Gate) -> None:
    pool.submit(gate.wait)


def wait_in_callback(pool: Any, gate: Gate) -> None:
    first = Gate()
    pool.submit(first.wait).add_done_callback(gate.wait)
    first.open()


def wait_by_standard_submit(pool: Any, gate: Gate) -> None:
    pool._submit_by_standard(gate.wait)


KINDS = [wait_in_map, wait_in_context, wait_in_callback, wait_by_standard_submit]


@pytest.mark.parametrize("start", KINDS)
def test_every_kind_of_task_is_named(
    executor: Any, gate: Gate, start: Callable[[Any, Gate], None]
) -> None:
    start(executor, gate)
    gate.await_arrivals()
    (task,) = late(executor).tasks
    assert (task.name, task.function) == ("Gate.wait", gate.wait)
    assert "Gate.wait" in str(late(executor))


def test_an_initializer_is_named(make_executor: Callable[..., Any], gate: Gate) -> None:
    pool = make_executor(1, initializer=gate.wait)
    future = pool.submit(int)
    gate.await_arrivals()
    error = late(pool)
    assert [task.function for task in error.tasks] == [gate.wait]
    assert "1 task still runs and 1 waits in the queue" in str(error)
    gate.open()
    assert future.result(LIMIT) == 0


def test_a_task_that_waits_is_named_with_the_one_it_runs_meanwhile(
    make_executor: Callable[..., Any], gate: Gate
) -> None:
    pool = make_executor(1)

    def outer() -> Any:
        return pool.submit(gate.wait, "inner").result()

    future = pool.submit(outer)
    gate.await_arrivals()
    functions = {task.function for task in late(pool).tasks}
    assert functions == {outer, gate.wait}
    gate.open()
    assert future.result(LIMIT) == "inner"


def test_a_callable_without_a_name_is_named_by_its_type(executor: Any, gate: Gate) -> None:
    class Job:
        def __call__(self) -> None:
            gate.wait()

    executor.submit(Job())
    gate.await_arrivals()
    assert late(executor).tasks[0].name == Job.__qualname__


def test_it_is_caught_by_every_name_of_a_timeout(executor: Any, gate: Gate) -> None:
    occupy(executor, gate, 1)
    error = late(executor)
    for kind in (builtins.TimeoutError, concurrent.futures.TimeoutError):
        assert isinstance(error, kind)
    copy = pickle.loads(pickle.dumps(ShutdownTimeout(str(error))))
    assert (str(copy), copy.tasks) == (str(error), ())


@pytest.mark.parametrize(
    "timeout",
    [-1, -0.001, float("inf"), float("nan"), -float("inf"), 10**400, Decimal("sNaN")],
)
def test_a_timeout_out_of_range_shuts_nothing_down(executor: Any, timeout: Any) -> None:
    message = r"^timeout must be a finite number of seconds >= 0, or None, not "
    with pytest.raises(ValueError, match=message):
        executor.shutdown(timeout=timeout)
    assert executor.submit(int).result(LIMIT) == 0


@pytest.mark.parametrize("timeout", ["1", b"1", [1], True, 1j])
def test_a_timeout_of_a_wrong_type_shuts_nothing_down(executor: Any, timeout: Any) -> None:
    with pytest.raises(TypeError, match=r"^timeout must be a finite number of seconds >= 0, or"):
        executor.shutdown(timeout=timeout)
    assert executor.submit(int).result(LIMIT) == 0


def test_a_timeout_without_waiting_is_refused(executor: Any) -> None:
    message = r"^shutdown\(wait=False\) waits for nothing: timeout must be None then, not 5$"
    with pytest.raises(ValueError, match=message):
        executor.shutdown(wait=False, timeout=5)
    assert executor.submit(int).result(LIMIT) == 0


def test_two_threads_may_shut_down_with_different_times(
    executor: Any, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    patient = in_thread(lambda: executor.shutdown(timeout=LIMIT))
    assert eventually(lambda: executor._shutdown)
    assert len(late(executor, 0.01).tasks) == workers
    assert patient.thread.is_alive()
    gate.open()
    assert patient.get() is None


def test_a_worker_does_not_wait_for_itself(executor: Any, gate: Gate, workers: int) -> None:
    others = occupy(executor, gate, workers - 1) if workers > 1 else []
    future = executor.submit(executor.shutdown, timeout=LIMIT)
    with pytest.raises(RuntimeError, match=r"^cannot join current thread$"):
        future.result(LIMIT)
    assert executor._shutdown
    assert not any(future.done() for future in others)


@pytest.mark.worker_counts(2)
def test_two_workers_may_try_to_end_their_pool_at_once(executor: Any, workers: int) -> None:
    both = threading.Barrier(workers, timeout=LIMIT)

    def end() -> None:
        both.wait()
        executor.shutdown()

    for future in [executor.submit(end), executor.submit(end)]:
        assert isinstance(future.exception(LIMIT), RuntimeError)


def test_a_thread_that_never_starts_does_not_outlast_the_time(
    executor: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_late(self: threading.Thread) -> None:
        if self.name.startswith(executor._thread_name_prefix):
            gate.wait()
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_late)
    submitting = in_thread(executor.submit, int, 3)
    gate.await_arrivals()
    error = late(executor, 0.01)
    assert (str(error), error.tasks) == (
        "0 tasks still run and 1 waits in the queue after 0.01 seconds",
        (),
    )
    assert "queue" not in str(late(executor, 0.01, cancel_futures=True))
    gate.open()
    assert submitting.get().cancelled()


@pytest.mark.parametrize("kind", ["pool", "async executor"])
def test_aclose_has_a_time_limit_and_cancels(kind: str, gate: Gate, workers: int) -> None:
    executor: Any = treadle.AsyncThreadExecutor[Any](workers)
    pool = executor._pool
    running = occupy(pool, gate, workers)
    queued = pool.submit_many(int, range(3))

    async def main() -> None:
        closing = pool if kind == "pool" else executor
        with pytest.raises(ValueError, match="timeout must be a finite number"):
            await closing.aclose(timeout=-1)
        with pytest.raises(TypeError, match="timeout must be a finite number"):
            await closing.aclose(timeout="1")
        assert not pool._shutdown
        with pytest.raises(ShutdownTimeout) as caught:
            await closing.aclose(timeout=0.01)
        assert len(caught.value.tasks) == workers
        with pytest.raises(ShutdownTimeout):
            await closing.aclose(timeout=0, cancel_futures=True)
        assert all(future.cancelled() for future in queued)
        gate.open()
        await closing.aclose(timeout=LIMIT)
        assert all(future.done() for future in running)

    asyncio.run(main())


def test_who_has_the_identity_of_an_ended_worker_may_still_wait(executor: Any) -> None:
    """Identities of threads are used again, mostly at once."""
    executor.submit(int).result(LIMIT)
    executor.shutdown()
    for _ in range(20):
        in_thread(executor.shutdown).get()
