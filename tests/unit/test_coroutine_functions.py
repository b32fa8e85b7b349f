"""Coroutine functions given to what calls functions in threads: a clear error, at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import treadle

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.ours


async def fetch(*_: Any) -> int:
    return 1


class Client:
    async def fetch(self, *_: Any) -> int:
        return 1


USES = {
    "submit": lambda pool, fn: pool.submit(fn),
    "submit with more": lambda pool, fn: pool.submit(fn, 1, 2, 3, 4, key=5),
    "submit_many": lambda pool, fn: pool.submit_many(fn, [1, 2]),
    "map": lambda pool, fn: pool.map(fn, [1, 2]),
    "map of an iterator": lambda pool, fn: pool.map(fn, iter([1, 2])),
    "map_unordered": lambda pool, fn: pool.map_unordered(fn, [1, 2]),
}


@pytest.mark.parametrize("fn", [fetch, Client().fetch], ids=["function", "method"])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_error_tells_what_to_do(executor: ThreadPoolExecutor, use: Any, fn: Any) -> None:
    with pytest.raises(TypeError, match=r"fetch is a coroutine function: await its call itself"):
        use(executor, fn)
    assert executor.submit(int).result() == 0


@pytest.mark.parametrize("debug", [False, True])
def test_run_in_executor_refuses_them_too(executor: ThreadPoolExecutor, debug: bool) -> None:
    async def main() -> None:
        with pytest.raises(TypeError):
            asyncio.get_running_loop().run_in_executor(executor, fetch)

    asyncio.run(main(), debug=debug)


def test_what_makes_coroutines_by_itself_may_run_in_a_thread(executor: ThreadPoolExecutor) -> None:
    def in_a_loop_of_its_own() -> int:
        return asyncio.run(fetch())

    assert executor.submit(in_a_loop_of_its_own).result() == 1
    assert treadle.wait([executor.submit(asyncio.run, fetch())]).not_done == set()
