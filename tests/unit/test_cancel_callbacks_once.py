"""The callbacks of a cancelled future run once, however often its cancellation is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT, Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from support.logs import LogRecorder


class Stop(BaseException):
    """What ends a program, and no callback's mistake."""


@pytest.fixture(params=["plain", "subclass", "overriding"])
def kind(request: pytest.FixtureRequest, future_type: type[Future[Any]]) -> type[Future[Any]]:
    """The library's future, or a Python class that derives from it."""

    class Subclass(future_type):  # type: ignore[misc,valid-type]
        """Adds nothing."""

    class Overriding(future_type):  # type: ignore[misc,valid-type]
        """Overrides what it only passes on."""

        def cancel(self) -> bool:
            return bool(super().cancel())

        def set_running_or_notify_cancel(self) -> bool:
            return bool(super().set_running_or_notify_cancel())

    return {"plain": future_type, "subclass": Subclass, "overriding": Overriding}[request.param]


def test_they_run_once_when_the_cancellation_is_told_afterwards(kind: type[Future[Any]]) -> None:
    future, called = kind(), []
    for number in range(3):
        future.add_done_callback(lambda _, number=number: called.append(number))
    assert future.cancel()
    assert future.cancel()
    assert not future.set_running_or_notify_cancel()
    assert future.cancel()
    assert called == [0, 1, 2]


def test_they_run_once_when_one_of_them_tells_the_cancellation(kind: type[Future[Any]]) -> None:
    future, called = kind(), []

    def tell(cancelled: Future[Any]) -> None:
        called.append("tell")
        if len(called) == 1:
            cancelled.set_running_or_notify_cancel()

    future.add_done_callback(tell)
    future.add_done_callback(lambda _: called.append("second"))
    assert future.cancel()
    assert called == ["tell", "second"]


def test_they_run_once_when_one_of_them_cancels_again(kind: type[Future[Any]]) -> None:
    future, called = kind(), []
    future.add_done_callback(lambda cancelled: called.append(cancelled.cancel()))
    assert future.cancel()
    assert not future.set_running_or_notify_cancel()
    assert called == [True]


def test_none_runs_again_after_one_has_raised_out_of_cancel(kind: type[Future[Any]]) -> None:
    def stop(_: Any) -> None:
        called.append("stop")
        raise Stop

    future, called = kind(), []
    future.add_done_callback(lambda _: called.append("first"))
    future.add_done_callback(stop)
    with pytest.raises(Stop):
        future.cancel()
    assert not future.set_running_or_notify_cancel()
    assert future.cancel()
    assert called == ["first", "stop"]


def test_none_runs_again_after_one_has_failed(
    kind: type[Future[Any]], futures_log: LogRecorder
) -> None:
    def fail(_: Any) -> None:
        called.append("fail")
        int("this callback fails")

    future, called = kind(), []
    future.add_done_callback(fail)
    future.add_done_callback(lambda _: called.append("second"))
    assert future.cancel()
    assert not future.set_running_or_notify_cancel()
    assert called == ["fail", "second"]
    assert len(futures_log.take()) == 1


def test_one_that_is_added_to_a_cancelled_future_runs_at_once_and_only_then(
    kind: type[Future[Any]],
) -> None:
    future, called = kind(), []
    assert future.cancel()
    future.add_done_callback(lambda _: called.append("between"))
    assert called == ["between"]
    assert not future.set_running_or_notify_cancel()
    future.add_done_callback(lambda _: called.append("after"))
    assert called == ["between", "after"]


def test_they_run_once_when_a_worker_meets_the_cancelled_future(
    executor: ThreadPoolExecutor, gate: Gate, workers: int
) -> None:
    occupy(executor, gate, workers)
    called: list[int] = []
    futures = [executor.submit(int) for _ in range(10)]
    for number, future in enumerate(futures):
        future.add_done_callback(lambda _, number=number: called.append(number))
    assert all(future.cancel() for future in futures)
    gate.open()
    assert executor.submit(int, 1).result(LIMIT) == 1
    executor.shutdown()
    assert called == list(range(10))


def test_they_run_once_when_one_raises_and_a_worker_meets_the_future(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    def stop(_: Any) -> None:
        called.append(1)
        raise Stop

    pool = make_executor(1)
    occupy(pool, gate, 1)
    called: list[int] = []
    future = pool.submit(int)
    future.add_done_callback(stop)
    with pytest.raises(Stop):
        future.cancel()
    gate.open()
    assert pool.submit(int, 1).result(LIMIT) == 1
    assert called == [1]
