"""Tasks that run event loops of their own, which wait for tasks of the same pool."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

import pytest

from support.loops import each_loop, run_on
from support.waiting import LIMIT, Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.ours


async def awaited(pool: Any) -> int:
    return sum([await pool.submit(abs, -number) for number in range(10)])


async def gathered(pool: Any) -> int:
    return sum(await asyncio.gather(*(pool.submit(abs, -number) for number in range(10))))


async def by_the_loop(pool: Any) -> int:
    loop = asyncio.get_running_loop()
    return sum([await loop.run_in_executor(pool, abs, -number) for number in range(10)])


async def streamed(pool: Any) -> int:
    return sum([number async for number in pool.stream(abs, range(10))])


async def streamed_as_completed(pool: Any) -> int:
    return sum([number async for number in pool.stream(abs, range(10), ordered=False)])


async def streamed_from_async_source(pool: Any) -> int:
    async def source() -> AsyncIterator[int]:
        for number in range(10):
            yield number

    return sum([number async for number in pool.stream(abs, source())])


async def iterated(pool: Any) -> int:
    return sum([number async for number in pool.iterate(range, 10)])


ON_ANY = [awaited, streamed, streamed_as_completed, streamed_from_async_source, iterated]


@each_loop
@pytest.mark.parametrize("work", [*ON_ANY, gathered, by_the_loop])
def test_a_loop_in_a_task_may_wait_for_its_own_pool(
    executor: Any, workers: int, kind: str, work: Callable[[Any], Awaitable[int]]
) -> None:
    futures = [executor.submit(lambda: run_on(kind, work(executor))) for _ in range(2 * workers)]
    assert [future.result(LIMIT) for future in futures] == [45] * (2 * workers)


@pytest.mark.parametrize("work", ON_ANY)
def test_trio_in_a_task_may_wait_for_its_own_pool(
    executor: Any, workers: int, work: Callable[[Any], Awaitable[int]]
) -> None:
    pytest.importorskip("trio")
    trio = importlib.import_module("trio")
    futures = [executor.submit(trio.run, work, executor) for _ in range(2 * workers)]
    assert [future.result(LIMIT) for future in futures] == [45] * (2 * workers)


def test_the_pool_is_as_small_as_before_when_they_have_ended(executor: Any, workers: int) -> None:
    gate = Gate()
    executor.submit(lambda: asyncio.run(awaited(executor))).result(LIMIT)  # type: ignore[arg-type]
    futures = [executor.submit(gate.wait) for _ in range(workers + 1)]
    gate.await_arrivals(workers)
    assert not futures[-1].running()
    gate.open()
