"""A pool as a loop's default executor: `asyncio.to_thread`, `getaddrinfo`, the loop's own end."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.loops import each_loop, loop_factory, run_on
from support.waiting import LIMIT, Gate

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

pytestmark = each_loop


@pytest.fixture
def default(make_executor: Callable[..., ThreadPoolExecutor], workers: int) -> ThreadPoolExecutor:
    return make_executor(workers, thread_name_prefix="default")


async def use(pool: ThreadPoolExecutor) -> asyncio.AbstractEventLoop:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pool)
    return loop


def test_calls_without_a_pool_run_on_it(default: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> None:
        loop = await use(default)
        names = [
            await asyncio.to_thread(lambda: threading.current_thread().name),
            await loop.run_in_executor(None, lambda: threading.current_thread().name),
        ]
        assert all(name.startswith("default") for name in names)

    run_on(kind, main())


def test_to_thread_runs_in_a_copy_of_the_context(default: ThreadPoolExecutor, kind: str) -> None:
    variable = contextvars.ContextVar("variable", default="nothing")

    def look_and_set() -> str:
        seen = variable.get()
        variable.set("from the thread")
        return seen

    async def main() -> None:
        await use(default)
        variable.set("from the task")
        for _ in range(3):
            assert await asyncio.to_thread(look_and_set) == "from the task"
        assert variable.get() == "from the task"

    run_on(kind, main())


def test_names_are_looked_up_on_it(default: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> list[Any]:
        loop = await use(default)
        return await asyncio.wait_for(
            loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM), LIMIT
        )

    assert run_on(kind, main())[0][4] == ("127.0.0.1", 80)


def test_the_end_of_the_loop_shuts_it_down_and_waits(
    default: ThreadPoolExecutor, kind: str
) -> None:
    gate = Gate()
    ended: list[str] = []

    def call() -> None:
        gate.wait()
        ended.append("call")

    async def main() -> None:
        loop = await use(default)
        loop.run_in_executor(None, call)
        await asyncio.to_thread(gate.await_arrivals) if default._max_workers > 1 else None
        loop.call_later(0.01, gate.open)
        await loop.shutdown_default_executor()
        assert ended == ["call"]
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(int)

    run_on(kind, main())
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        default.submit(int)


def test_closing_the_loop_shuts_it_down_without_waiting(
    default: ThreadPoolExecutor, gate: Gate, kind: str
) -> None:
    loop = loop_factory(kind)()
    loop.set_default_executor(default)
    loop.run_in_executor(None, gate.wait)
    gate.await_arrivals()
    loop.close()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        default.submit(int)
    gate.open()


def test_a_loop_in_debug_mode_uses_it_as_well(default: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> list[int]:
        await use(default)
        return await asyncio.gather(*(asyncio.to_thread(int, number) for number in range(50)))

    assert run_on(kind, main(), debug=True) == list(range(50))
