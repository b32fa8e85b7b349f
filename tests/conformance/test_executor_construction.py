"""Making a ThreadPoolExecutor: what it accepts, what it refuses, and the object that results."""

from __future__ import annotations

import concurrent.futures
import copy
import os
import pickle
import re
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

StandardPool = concurrent.futures.ThreadPoolExecutor
count_cpus = getattr(os, "process_cpu_count", os.cpu_count)


def test_a_pool_is_a_pool_of_the_standard_library(
    executor_type: type[ThreadPoolExecutor], make_executor: Callable[..., ThreadPoolExecutor]
) -> None:
    assert issubclass(executor_type, StandardPool)
    assert issubclass(executor_type, concurrent.futures.Executor)
    assert isinstance(make_executor(1), StandardPool)
    assert executor_type.__name__ == "ThreadPoolExecutor"


def test_a_pool_has_a_default_number_of_workers_and_starts_none(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    for pool in (make_executor(), make_executor(None)):
        assert pool._max_workers == min(32, (count_cpus() or 1) + 4)
        assert len(pool._threads) == 0


def test_all_arguments_may_be_positional(make_executor: Callable[..., ThreadPoolExecutor]) -> None:
    calls: list[tuple[Any, ...]] = []
    pool = make_executor(2, "positional", lambda *args: calls.append(args), (1, 2))
    assert pool.submit(int).result(LIMIT) == 0
    assert calls[0] == (1, 2)
    assert (pool._max_workers, pool._thread_name_prefix) == (2, "positional")


def test_all_arguments_may_be_keywords(make_executor: Callable[..., ThreadPoolExecutor]) -> None:
    calls: list[tuple[Any, ...]] = []
    pool = make_executor(
        max_workers=1,
        thread_name_prefix="keyword",
        initializer=lambda *args: calls.append(args),
        initargs=[3],
    )
    assert pool.submit(int).result(LIMIT) == 0
    assert calls == [(3,)]


@pytest.mark.parametrize("max_workers", [0, -1, -(10**30), 0.0, False])
def test_no_workers_are_too_few(executor_type: type[ThreadPoolExecutor], max_workers: int) -> None:
    with pytest.raises(ValueError, match=r"^max_workers must be greater than 0$"):
        executor_type(max_workers)
    with pytest.raises(ValueError, match=r"^max_workers must be greater than 0$"):
        executor_type(max_workers=max_workers)


@pytest.mark.parametrize("initializer", [1, "print", (), object()])
def test_an_initializer_must_be_callable(
    executor_type: type[ThreadPoolExecutor], initializer: Any
) -> None:
    with pytest.raises(TypeError, match=r"^initializer must be a callable$"):
        executor_type(1, initializer=initializer)


def test_the_number_of_workers_is_looked_at_before_the_initializer(
    executor_type: type[ThreadPoolExecutor],
) -> None:
    with pytest.raises(ValueError, match="max_workers"):
        executor_type(0, initializer=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("max_workers", ["2", [], {}, b"1", object(), 1j], ids=repr)
def test_a_number_of_workers_of_a_wrong_type_is_refused_as_by_the_standard_library(
    executor_type: type[ThreadPoolExecutor], max_workers: Any
) -> None:
    expected = outcome(StandardPool, max_workers)
    assert expected[1] is TypeError
    assert outcome(executor_type, max_workers) == expected


def test_unknown_arguments_are_refused(executor_type: type[ThreadPoolExecutor]) -> None:
    assert outcome(executor_type, 1, workers=1)[1] is TypeError
    assert outcome(executor_type, 1, "", None, (), None)[1] is TypeError
    assert outcome(executor_type, 1, max_workers=1)[1] is TypeError


def test_a_pool_is_not_callable_and_can_be_weakly_referenced(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    assert not callable(pool)
    assert weakref.ref(pool)() is pool
    assert {pool: 1}[pool] == 1
    assert bool(pool) is True


def test_a_pool_takes_attributes_and_methods(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    pool.note = "mine"  # type: ignore[attr-defined]
    assert pool.note == "mine"  # type: ignore[attr-defined]
    assert vars(pool)["note"] == "mine"
    submitted: list[Any] = []
    original = pool.submit
    pool.submit = lambda fn, /, *args: (submitted.append(fn), original(fn, *args))[1]  # type: ignore[method-assign,assignment]
    assert pool.submit(int, 3).result(LIMIT) == 3
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
    assert submitted == [int, abs, abs]


def test_a_pool_can_neither_be_pickled_nor_copied(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises((TypeError, pickle.PicklingError), match=r"[Cc]an(not|'t) pickle"):
            attempt(pool)


def test_a_pool_is_its_own_context_manager_and_is_down_afterwards(
    executor_type: type[ThreadPoolExecutor], workers: int
) -> None:
    ended: list[int] = []
    with executor_type(workers) as pool:
        assert isinstance(pool, executor_type)
        for number in range(10 * workers):
            pool.submit(ended.append, number)
    assert sorted(ended) == list(range(10 * workers))
    assert pool._shutdown
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(int)


def test_an_exception_in_the_body_passes_through(executor_type: type[ThreadPoolExecutor]) -> None:
    error = KeyError("body")
    with pytest.raises(KeyError) as caught, executor_type(1) as pool:
        raise error
    assert caught.value is error
    assert pool._shutdown
    assert pool.__exit__(None, None, None) is False


def test_an_initialised_pool_shows_its_parts(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(3)
    assert pool._max_workers == 3
    assert pool._shutdown is False
    assert pool._broken is False
    assert pool._thread_name_prefix.startswith("pool-")
    assert pool._work_queue.qsize() == 0
    with pool._shutdown_lock:
        assert not pool._shutdown
    assert pool._idle_semaphore.acquire(timeout=0) is False


@pytest.mark.ours  # the standard library keeps them elsewhere from 3.14 on
def test_an_initialised_pool_shows_its_initializer(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(3, initializer=print, initargs=("a", "b"))
    assert pool._initializer is print
    assert pool._initargs == ("a", "b")
    plain = make_executor(3)
    assert plain._initializer is None
    assert plain._initargs == ()


def test_each_pool_has_a_default_prefix_of_its_own(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    first, second = (make_executor(1, thread_name_prefix="") for _ in range(2))
    for pool in (first, second):
        assert re.fullmatch(r"ThreadPoolExecutor-\d+", pool._thread_name_prefix)
    assert first._thread_name_prefix != second._thread_name_prefix


def test_a_subclass_may_have_its_own_initialiser(
    executor_type: type[ThreadPoolExecutor], make_executor: Callable[..., ThreadPoolExecutor]
) -> None:
    class Named(executor_type):  # type: ignore[misc,valid-type]
        """A pool with a name and one worker."""

        def __init__(self, name: str, **options: Any) -> None:
            self.name = name
            super().__init__(max_workers=1, **options)

    pool = make_executor("mine", executor_type=Named)
    assert pool.name == "mine"  # type: ignore[attr-defined]
    assert pool._max_workers == 1
    assert pool.submit(int).result(LIMIT) == 0


def test_a_subclass_may_mix_in_other_classes(
    executor_type: type[ThreadPoolExecutor], make_executor: Callable[..., ThreadPoolExecutor]
) -> None:
    class Counting:
        """Counts submissions before they reach the pool."""

        count = 0

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return super().submit(fn, *args, **kwargs)  # type: ignore[misc]

    class Pool(Counting, executor_type):  # type: ignore[misc,valid-type]
        """A counting pool."""

    pool = make_executor(2, executor_type=Pool)
    assert pool.submit(int, 4).result(LIMIT) == 4
    assert list(pool.map(int, range(5))) == [0, 1, 2, 3, 4]
    assert pool.count == 6  # type: ignore[attr-defined]
