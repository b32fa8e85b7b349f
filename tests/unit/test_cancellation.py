"""Asking a running call to stop: `request_cancel`, `check_cancelled`, `current_task`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.loops import each_loop, run_on
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.ours


class Polite:
    """A call that runs until it is asked to stop."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.saw_request = threading.Event()

    def poll(self) -> None:
        self.began.set()
        try:
            while True:
                treadle.check_cancelled()
                time.sleep(0.0001)
        finally:
            self.saw_request.set()

    def sleep(self) -> bool:
        task = treadle.current_task()
        assert task is not None
        self.began.set()
        asked = task.wait_cancelled(LIMIT)
        self.saw_request.set()
        return asked


def test_a_queued_call_is_cancelled(executor: ThreadPoolExecutor, gate: Gate, workers: int) -> None:
    occupy(executor, gate, workers)
    future: Any = executor.submit(int)
    assert future.request_cancel()
    assert future.cancelled()
    assert not future.request_cancel()


def test_a_call_that_has_ended_cannot_be_asked(executor: ThreadPoolExecutor) -> None:
    future: Any = executor.submit(int)
    concurrent.futures.wait([future])
    assert not future.request_cancel()
    assert future.result() == 0


@pytest.mark.parametrize("method", ["cancel", "request_cancel"])
def test_a_running_call_that_checks_ends_cancelled(
    executor: ThreadPoolExecutor, method: str
) -> None:
    polite = Polite()
    future: Any = executor.submit(polite.poll)
    assert polite.began.wait(LIMIT)
    assert getattr(future, method)() is (method == "request_cancel")
    assert concurrent.futures.wait([future], LIMIT).not_done == set()
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


def test_who_waits_for_it_hears_that_it_was_cancelled(executor: ThreadPoolExecutor) -> None:
    polite = Polite()
    future: Any = executor.submit(polite.poll)
    called_back: list[Any] = []
    future.add_done_callback(called_back.append)
    waits = [
        in_thread(lambda: treadle.wait([future], LIMIT)),
        in_thread(lambda: list(treadle.as_completed([future], LIMIT))),
        in_thread(lambda: list(concurrent.futures.as_completed([future], LIMIT))),
    ]
    result = in_thread(future.exception, LIMIT)
    assert polite.began.wait(LIMIT)
    future.request_cancel()
    assert waits[0].get().done == {future}
    assert waits[1].get() == waits[2].get() == [future]
    with pytest.raises(concurrent.futures.CancelledError):
        result.get()
    assert called_back == [future]


def test_the_error_without_a_request_is_a_failure(executor: ThreadPoolExecutor) -> None:
    def raise_it() -> None:
        raise concurrent.futures.CancelledError

    future = executor.submit(raise_it)
    assert isinstance(future.exception(LIMIT), concurrent.futures.CancelledError)
    assert not future.cancelled()


def test_a_call_may_refuse_to_stop(executor: ThreadPoolExecutor, gate: Gate) -> None:
    def refuse() -> str:
        gate.wait()
        try:
            treadle.check_cancelled()
        except concurrent.futures.CancelledError:
            return "refused"
        return "was not asked"

    future: Any = executor.submit(refuse)
    gate.await_arrivals()
    future.request_cancel()
    gate.open()
    assert future.result(LIMIT) == "refused"


def test_another_error_after_a_request_is_a_failure(
    executor: ThreadPoolExecutor, gate: Gate
) -> None:
    def fail() -> None:
        gate.wait()
        treadle.check_cancelled()

    def translate() -> None:
        try:
            fail()
        except concurrent.futures.CancelledError:
            message = "stopped"
            raise ValueError(message) from None

    future: Any = executor.submit(translate)
    gate.await_arrivals()
    future.request_cancel()
    gate.open()
    with pytest.raises(ValueError, match="stopped"):
        future.result(LIMIT)


def test_a_sleep_ends_when_the_call_is_asked(executor: ThreadPoolExecutor) -> None:
    polite = Polite()
    future: Any = executor.submit(polite.sleep)
    assert polite.began.wait(LIMIT)
    future.request_cancel()
    assert future.result(LIMIT) is True


def test_a_sleep_ends_when_its_time_is_up(executor: ThreadPoolExecutor) -> None:
    def sleep() -> list[bool]:
        task = treadle.current_task()
        assert task is not None
        return [task.wait_cancelled(timeout) for timeout in (0.001, 0, -1)]

    assert executor.submit(sleep).result(LIMIT) == [False] * 3


def test_sleepers_on_the_result_and_on_the_request_do_not_confuse_each_other(
    executor: ThreadPoolExecutor,
) -> None:
    polite = Polite()
    future: Any = executor.submit(polite.sleep)
    assert polite.began.wait(LIMIT)
    results = [in_thread(future.result, LIMIT) for _ in range(5)]
    future.cancel()
    assert [result.get() for result in results] == [True] * 5


def test_a_task_knows_its_name(executor: ThreadPoolExecutor) -> None:
    def ask(*_: Any, **__: Any) -> Any:
        return treadle.current_task()

    class Callable:
        def __call__(self) -> Any:
            return treadle.current_task()

    for fn, name in [
        (ask, ask.__qualname__),
        (Callable(), Callable.__qualname__),
        (functools.partial(ask), "partial"),
    ]:
        task = executor.submit(fn).result(LIMIT)
        assert (task.name, task.priority, task.deadline) == (name, 0, None)
        assert not task.cancel_requested
    assert executor.submit(ask, 1, 2, 3, 4, x=5).result(LIMIT).name == ask.__qualname__


def test_outside_of_tasks_there_is_none(executor: ThreadPoolExecutor) -> None:
    assert treadle.current_task() is None
    treadle.check_cancelled()
    seen: list[Any] = []
    future = executor.submit(int)
    future.add_done_callback(lambda _: seen.append(treadle.check_cancelled()))
    future.result(LIMIT)
    assert eventually(lambda: seen == [None])


def test_a_task_inside_a_task_is_asked_alone(make_executor: Any) -> None:
    pool = make_executor(1)
    inner_began, go_on = threading.Event(), threading.Event()
    seen: dict[str, bool] = {}
    inner: list[Any] = []

    def asked() -> bool:
        task = treadle.current_task()
        assert task is not None
        return task.cancel_requested

    def run_inner() -> None:
        inner_began.set()
        go_on.wait(LIMIT)
        seen["inner"] = asked()

    def run_outer() -> None:
        inner.append(pool.submit(run_inner))
        inner[0].result()
        seen["outer"] = asked()

    outer = pool.submit(run_outer)
    assert inner_began.wait(LIMIT)
    inner[0].request_cancel()
    go_on.set()
    outer.result(LIMIT)
    assert seen == {"inner": True, "outer": False}


def test_an_item_of_a_map_inside_a_task_is_another_task(make_executor: Any) -> None:
    pool = make_executor(1)

    def outer() -> list[Any]:
        return [*pool.map(lambda _: treadle.current_task(), [1, 2]), treadle.current_task().name]

    assert pool.submit(outer).result(LIMIT) == [None, None, outer.__qualname__]


def test_a_request_does_not_outlive_its_task(executor: ThreadPoolExecutor, workers: int) -> None:
    for _ in range(10 * workers):
        polite = Polite()
        future: Any = executor.submit(polite.poll)
        assert polite.began.wait(LIMIT)
        future.request_cancel()
        assert executor.submit(treadle.check_cancelled).result(LIMIT) is None


AWAITS = {
    "await": lambda pool, call: pool.submit(call),
    "run_in_executor": lambda pool, call: asyncio.get_running_loop().run_in_executor(pool, call),
    "wrap_future": lambda pool, call: asyncio.wrap_future(pool.submit(call)),
}


@each_loop
@pytest.mark.parametrize("call", ["poll", "sleep"])
@pytest.mark.parametrize("how", AWAITS)
def test_a_cancelled_awaiter_asks_the_running_call(
    executor: ThreadPoolExecutor, kind: str, how: str, call: str
) -> None:
    polite = Polite()

    async def wait_for_it() -> None:
        await AWAITS[how](executor, getattr(polite, call))

    async def main() -> None:
        task = asyncio.ensure_future(wait_for_it())
        await asyncio.to_thread(polite.began.wait, LIMIT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(polite.saw_request.wait, LIMIT)

    run_on(kind, asyncio.wait_for(main(), LIMIT))


@each_loop
def test_a_timeout_of_the_awaiter_asks_the_running_call(
    executor: ThreadPoolExecutor, kind: str
) -> None:
    polite = Polite()

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(executor.submit(polite.poll), 0.01)

    run_on(kind, main())
    executor.shutdown()  # it has ended, or was cancelled before it began
    assert polite.saw_request.is_set() or not polite.began.is_set()


def test_a_loop_that_is_closed_asks_nobody(executor: ThreadPoolExecutor) -> None:
    polite = Polite()
    loop = asyncio.new_event_loop()

    def sleep_a_moment() -> bool:
        polite.began.wait(LIMIT)
        task = treadle.current_task()
        assert task is not None
        return task.wait_cancelled(0.001)

    answers: list[bool] = []
    loop.run_in_executor(executor, lambda: answers.append(sleep_a_moment()))
    loop.close()
    polite.began.set()
    executor.shutdown()
    assert answers == [False]


def test_knowledge_of_a_task_keeps_only_its_future(executor: ThreadPoolExecutor) -> None:
    class Argument:
        pass

    argument = Argument()
    reference = weakref.ref(argument)
    task: Any = executor.submit(lambda _: treadle.current_task(), argument).result(LIMIT)
    del argument
    gc.collect()
    assert eventually_dead(reference)
    assert not task.cancel_requested
    assert not task.wait_cancelled(LIMIT)
    assert "lambda" in repr(task)


@pytest.mark.slow
def test_requests_at_any_moment_lose_nothing(executor: ThreadPoolExecutor) -> None:
    ran: list[int] = []

    def work(number: int) -> int:
        treadle.check_cancelled()
        ran.append(number)
        return number

    futures: list[Any] = [executor.submit(work, number) for number in range(3000)]
    threads = [
        in_thread(lambda: [future.request_cancel() for future in futures[i::3]]) for i in (0, 1)
    ]
    for thread in threads:
        thread.get()
    assert concurrent.futures.wait(futures, LIMIT).not_done == set()
    assert sorted(ran) == [future.result() for future in futures if not future.cancelled()]
