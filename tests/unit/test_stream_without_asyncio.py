"""`stream` of an async source where no loop of asyncio runs: the reader advances the source."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from support.streams import AsyncSource
from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    import treadle

pytestmark = pytest.mark.ours


def step(awaitable: Any) -> Any:
    """What the awaitable gives when it never waits; some loop's own steps would be no different."""
    with pytest.raises(StopIteration) as caught:
        awaitable.send(None)
    return caught.value.value


@pytest.fixture
def pool(executor_type: Any, make_executor: Callable[..., Any]) -> treadle.ThreadPoolExecutor:
    """A pool whose calls have ended when `submit` returns."""

    class Prompt(executor_type):  # type: ignore[misc]
        """Waits for each call."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            future = super().submit(fn, *args, **kwargs)
            future.exception(LIMIT)
            return future

    pool: treadle.ThreadPoolExecutor = make_executor(2, executor_type=Prompt)
    return pool


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as-completed"])
def test_a_ready_result_is_handed_out_before_more_is_taken(
    pool: treadle.ThreadPoolExecutor, ordered: bool
) -> None:
    source = AsyncSource(itertools.count())
    stream = pool.stream(int, source, concurrency=10, ordered=ordered)
    for number in range(50):
        assert step(stream.__anext__()) == number
        assert source.taken <= number + 10
    step(stream.aclose())
    assert source.closed == 1


def test_a_failed_call_closes_the_source(pool: treadle.ThreadPoolExecutor) -> None:
    source = AsyncSource([1, 0, 1, 1])
    stream = pool.stream(lambda number: 1 // number, source, concurrency=3)
    assert step(stream.__anext__()) == 1
    with pytest.raises(ZeroDivisionError):
        stream.__anext__().send(None)
    assert source.closed == 1
    with pytest.raises(StopAsyncIteration):
        stream.__anext__().send(None)
