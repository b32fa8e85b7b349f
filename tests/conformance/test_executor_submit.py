"""`submit`: what reaches the task, what comes back, and what is refused with which words."""

from __future__ import annotations

import concurrent.futures
import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.waiting import LIMIT, Gate, in_thread, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor


def echo(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def test_a_task_runs_in_another_thread_and_gives_its_result(executor: ThreadPoolExecutor) -> None:
    thread = executor.submit(threading.current_thread).result(LIMIT)
    assert thread is not threading.current_thread()
    assert executor.submit(pow, 2, 10).result(LIMIT) == 1024


@pytest.mark.parametrize("count", range(13))
def test_any_number_of_arguments_reaches_the_task(executor: ThreadPoolExecutor, count: int) -> None:
    args = tuple(range(count))
    kwargs = {f"key_{number}": number for number in range(count)}
    assert executor.submit(echo, *args).result(LIMIT) == (args, {})
    assert executor.submit(echo, **kwargs).result(LIMIT) == ((), kwargs)
    assert executor.submit(echo, *args, **kwargs).result(LIMIT) == (args, kwargs)


def test_very_many_arguments_reach_the_task(executor: ThreadPoolExecutor) -> None:
    args = tuple(range(10_000))
    kwargs = {f"key_{number}": number for number in range(1_000)}
    assert executor.submit(echo, *args, **kwargs).result(LIMIT) == (args, kwargs)


def test_keywords_named_self_and_fn_go_to_the_task(executor: ThreadPoolExecutor) -> None:
    keywords = {"self": 1, "fn": 2, "args": 3, "kwargs": 4, "executor": 5}
    assert executor.submit(echo, **keywords).result(LIMIT) == ((), keywords)
    assert executor.submit(echo, 0, **keywords).result(LIMIT) == ((0,), keywords)


def test_the_keywords_are_taken_when_submitted(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)
    occupy(pool, gate, 1)
    keywords = {"a": 1}
    future = pool.submit(echo, **keywords)
    keywords["a"] = 2
    gate.open()
    assert future.result(LIMIT) == ((), {"a": 1})


def test_every_kind_of_callable_runs(executor: ThreadPoolExecutor) -> None:
    class Callable_:
        """Callable as an instance, a method, a class method and a static method."""

        def __call__(self, value: int) -> int:
            return value

        def method(self, value: int) -> int:
            return value

        @classmethod
        def of_class(cls, value: int) -> int:
            return value

        @staticmethod
        def static(value: int) -> int:
            return value

    one = Callable_()
    callables = [one, one.method, Callable_.of_class, Callable_.static, int, abs, lambda x: x]
    callables += [functools.partial(pow, 1), functools.lru_cache(int), [7].index]
    for number, function in enumerate(callables):
        expected = function(7)
        assert executor.submit(function, 7).result(LIMIT) == expected, number


@pytest.mark.parametrize("not_callable", [5, None, "print", object()], ids=repr)
def test_what_cannot_be_called_fails_in_the_future(
    executor: ThreadPoolExecutor, not_callable: Any
) -> None:
    name = type(not_callable).__name__
    future = executor.submit(not_callable, 1)
    with pytest.raises(TypeError, match=f"^'{name}' object is not callable$"):
        future.result(LIMIT)
    assert executor.submit(int).result(LIMIT) == 0


def test_wrong_arguments_of_the_task_fail_in_the_future(executor: ThreadPoolExecutor) -> None:
    assert isinstance(executor.submit(len).exception(LIMIT), TypeError)
    assert isinstance(executor.submit(len, [], key=1).exception(LIMIT), TypeError)


def test_submitting_nothing_is_refused_as_by_the_standard_library(
    executor: ThreadPoolExecutor,
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as standard:
        for arguments in ({}, {"fn": print}, {"fn": print, "x": 1}):
            expected = outcome(standard.submit, **arguments)
            assert expected[1] is TypeError
            assert outcome(executor.submit, **arguments) == expected


def test_the_future_is_running_while_its_task_runs(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    futures = occupy(executor, gate, workers)
    queued = executor.submit(int)
    assert all(future.running() and not future.done() for future in futures)
    assert not any(future.cancel() for future in futures)
    assert not queued.running()
    assert not queued.done()
    gate.open()
    assert queued.result(LIMIT) == 0
    assert all(future.result(LIMIT) is None for future in futures)


def test_a_queued_task_that_is_cancelled_never_runs(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    ran: list[int] = []
    futures = [executor.submit(ran.append, number) for number in range(20)]
    assert all(future.cancel() for future in futures[::2])
    gate.open()
    executor.shutdown()
    assert sorted(ran) == list(range(1, 20, 2))
    assert [future._state for future in futures] == ["CANCELLED_AND_NOTIFIED", "FINISHED"] * 10


def test_one_worker_runs_tasks_in_the_order_of_submission(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    ran: list[int] = []
    with make_executor(1) as pool:
        for number in range(1000):
            pool.submit(ran.append, number)
    assert ran == list(range(1000))


def test_as_many_tasks_run_at_once_as_there_are_workers(
    executor: ThreadPoolExecutor, workers: int
) -> None:
    together = threading.Barrier(workers, timeout=LIMIT)
    futures = [executor.submit(together.wait) for _ in range(3 * workers)]
    assert sorted(future.result(LIMIT) for future in futures) == sorted(3 * list(range(workers)))


def test_never_more_tasks_run_at_once_than_there_are_workers(
    executor: ThreadPoolExecutor, workers: int
) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.0005)
        with lock:
            running -= 1

    for future in [executor.submit(task) for _ in range(100)]:
        future.result(LIMIT)
    assert most <= workers


def test_many_tasks_all_run_exactly_once(executor: ThreadPoolExecutor) -> None:
    futures = [executor.submit(int, number) for number in range(5000)]
    assert [future.result(LIMIT) for future in futures] == list(range(5000))


def test_a_task_may_submit_another(executor: ThreadPoolExecutor) -> None:
    inner = executor.submit(executor.submit, pow, 3, 3).result(LIMIT)
    assert inner.result(LIMIT) == 27


def test_threads_other_than_the_maker_of_the_pool_may_submit(
    executor: ThreadPoolExecutor,
) -> None:
    calls = [in_thread(executor.submit, int, number) for number in range(8)]
    assert [call.get().result(LIMIT) for call in calls] == list(range(8))


def test_a_generator_function_gives_its_generator(executor: ThreadPoolExecutor) -> None:
    def numbers() -> Any:
        yield 1
        yield 2

    assert list(executor.submit(numbers).result(LIMIT)) == [1, 2]


def test_the_unbound_submit_of_the_standard_class_works(executor: ThreadPoolExecutor) -> None:
    future = concurrent.futures.ThreadPoolExecutor.submit(executor, pow, 2, 5)
    assert future.result(LIMIT) == 32
