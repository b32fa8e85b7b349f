"""Event loops that close too early are freed, and awaits raise what asyncio would."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.references import eventually_dead
from support.waiting import LIMIT, Gate, throw

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

pytestmark = pytest.mark.ours


async def value_of(awaitable: Any) -> Any:
    return await awaitable


def closed_with_completions(pool: ThreadPoolExecutor, count: int) -> list[weakref.ref[Any]]:
    """Closes a loop that has completions to deliver; the loop, and the futures."""
    gate = threading.Event()
    loop = asyncio.new_event_loop()
    futures = [pool.submit(gate.wait) for _ in range(count)]
    tasks = [loop.create_task(value_of(future)) for future in futures]
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    def complete_and_stop() -> None:
        gate.set()
        pool.submit(int).result(LIMIT)  # every completion is on its way into the loop
        loop.stop()

    loop.call_soon(loop.call_soon, complete_and_stop)  # after the tasks have begun to wait
    loop.run_forever()
    assert not any(task.done() for task in tasks)
    loop.close()
    return [weakref.ref(loop), *map(weakref.ref, futures)]


@pytest.mark.parametrize("count", [1, 10, 600])
def test_a_loop_closed_with_completions_on_their_way_is_freed(
    make_executor: Callable[..., ThreadPoolExecutor], count: int
) -> None:
    pool = make_executor(1)
    references = closed_with_completions(pool, count)
    assert pool.submit(int, 7).result(LIMIT) == 7
    assert all(eventually_dead(reference, 5) for reference in references)


def test_a_loop_closed_before_the_completions_is_freed(
    make_executor: Callable[..., ThreadPoolExecutor], gate: Gate
) -> None:
    pool = make_executor(1)

    def closed() -> list[weakref.ref[Any]]:
        loop = asyncio.new_event_loop()
        future = pool.submit(gate.wait)
        task = loop.create_task(value_of(future))
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        return [weakref.ref(loop), weakref.ref(future)]

    references = closed()
    gate.open()
    assert pool.submit(int, 7).result(LIMIT) == 7
    assert all(eventually_dead(reference, 5) for reference in references)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "CancelledError": concurrent.futures.CancelledError,
    "CancelledError with a text": lambda: concurrent.futures.CancelledError("text", 2),
    "InvalidStateError": lambda: concurrent.futures.InvalidStateError("text"),
    "TimeoutError": lambda: concurrent.futures.TimeoutError("text"),
    "another": lambda: KeyError("text"),
}


def awaited(future: Future[Any], *, done: bool, gate: Gate, wrapped: bool) -> tuple[Any, ...]:
    """What comes of awaiting the future, which is done before or becomes it meanwhile."""

    async def main() -> Any:
        if done:
            gate.open()
            concurrent.futures.wait([future], LIMIT)
        awaitable: Any = asyncio.wrap_future(future) if wrapped else future
        asyncio.get_running_loop().call_later(0.01, gate.open)
        try:
            return await awaitable
        except BaseException as error:  # asyncio.run would take a cancellation for its own
            return type(error), error.args

    return outcome(asyncio.run, main())


@pytest.mark.parametrize("done", [True, False], ids=["done", "pending"])
@pytest.mark.parametrize("make_error", ERRORS.values(), ids=ERRORS)
def test_an_await_raises_the_asyncio_type_of_an_exception(
    make_executor: Callable[..., ThreadPoolExecutor],
    make_error: Callable[[], BaseException],
    done: bool,
) -> None:
    seen = []
    pools = [make_executor(1), concurrent.futures.ThreadPoolExecutor(1)]
    for pool, wrapped in zip(pools, [False, True], strict=True):
        gate = Gate()
        future = pool.submit(lambda gate=gate: (gate.wait(), throw(make_error())))
        seen.append(awaited(future, done=done, gate=gate, wrapped=wrapped))
        pool.shutdown()
    ours, standard = seen
    assert ours == standard
