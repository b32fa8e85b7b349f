"""How a completion wakes its loop: in asyncio's order, with nothing left behind."""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
import threading
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.loops import each_loop, loop_factory, run_on
from support.references import eventually_dead
from support.waiting import LIMIT, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

DESCRIPTORS = Path("/proc/self/fd")
watched_by_epoll = pytest.mark.skipif(sys.platform != "linux", reason="bells are Linux's eventfds")


async def call_often(pool: ThreadPoolExecutor, times: int = 3) -> None:
    """Waits for a few calls, one after the other: the loop sleeps meanwhile, and is woken."""
    loop = asyncio.get_running_loop()
    for number in range(times):
        assert await asyncio.wait_for(loop.run_in_executor(pool, abs, -number), LIMIT) == number


@each_loop
def test_completions_keep_their_place_among_the_loops_callbacks(
    make_executor: Callable[..., ThreadPoolExecutor], kind: str
) -> None:
    pool = make_executor(1)

    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        seen: list[bool] = []
        both = asyncio.Event()

        def look() -> None:
            seen.append(future.done())
            if len(seen) == 2:
                both.set()

        await loop.run_in_executor(pool, abs, 1)  # from here on the loop has all it wants to have
        before_end = threading.Event()

        def call() -> None:
            loop.call_soon_threadsafe(look)
            before_end.set()

        future = loop.run_in_executor(pool, call)
        before_end.wait(LIMIT)
        # The loop does not turn before the future's completion is on its way, too.
        pool.submit(loop.call_soon_threadsafe, look).result(LIMIT)
        await both.wait()
        return seen

    assert run_on(kind, main()) == [False, True]


@pytest.mark.ours
@pytest.mark.parametrize("place", ["loop", "class"])
def test_a_loop_with_its_own_call_soon_threadsafe_is_woken_by_that(
    executor: ThreadPoolExecutor, place: str
) -> None:
    called: list[Any] = []

    class Loop(asyncio.SelectorEventLoop):
        if place == "class":

            def call_soon_threadsafe(self, callback: Any, *args: Any, **options: Any) -> Any:
                called.append(callback)
                return super().call_soon_threadsafe(callback, *args, **options)

    loop = Loop()
    try:
        loop.run_until_complete(call_often(executor))
        if place == "loop":  # replaced in the middle of its life
            assert not called
            original = loop.call_soon_threadsafe

            def wrapped(callback: Any, *args: Any, **options: Any) -> Any:
                called.append(callback)
                return original(callback, *args, **options)

            loop.call_soon_threadsafe = wrapped  # type: ignore[method-assign]
            loop.run_until_complete(call_often(executor))
        assert called
    finally:
        loop.close()


@pytest.mark.parametrize("method", ["_add_reader", "add_reader", "_write_to_self"])
def test_a_loop_of_which_a_part_is_replaced_is_woken(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Tests do so, asyncio's own, too."""
    loop: Any = asyncio.SelectorEventLoop()
    original = getattr(loop, method)
    replaced = (lambda: original()) if method == "_write_to_self" else (lambda *_: None)
    monkeypatch.setattr(loop, method, replaced)
    try:
        loop.run_until_complete(call_often(executor))
    finally:
        loop.close()


@each_loop
def test_debug_mode_may_be_switched_at_any_time(executor: ThreadPoolExecutor, kind: str) -> None:
    async def main() -> None:
        for debug in (False, True, False, True):
            asyncio.get_running_loop().set_debug(debug)
            await call_often(executor)

    run_on(kind, main())


def test_a_loop_on_select_is_woken(executor: ThreadPoolExecutor) -> None:
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    try:
        loop.run_until_complete(call_often(executor))
    finally:
        loop.close()


@each_loop
def test_a_loop_that_was_first_asked_from_outside_is_woken(
    executor: ThreadPoolExecutor, kind: str
) -> None:
    loop = loop_factory(kind)()
    try:
        future = loop.run_in_executor(executor, abs, -1)
        assert loop.run_until_complete(asyncio.wait_for(future, LIMIT)) == 1
        loop.run_until_complete(call_often(executor))
    finally:
        loop.close()


@each_loop
def test_a_loop_that_was_first_asked_by_another_thread_is_woken(
    executor: ThreadPoolExecutor, kind: str
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked = in_thread(loop.run_in_executor, executor, abs, -1)
        assert await asyncio.wait_for(asked.get(), LIMIT) == 1  # it did not need the loop
        await call_often(executor)

    run_on(kind, main())


def test_a_loop_without_room_for_attributes_is_woken(executor: ThreadPoolExecutor) -> None:
    class Loop:
        """Stands for another loop, and is not even one by its class."""

        __slots__ = ("__weakref__", "_loop")

        def __init__(self) -> None:
            self._loop = asyncio.get_running_loop()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._loop, name)

    async def main() -> None:
        loop: Any = Loop()
        for number in range(3):
            # The waiter itself is the running loop's.
            ended = asyncio.Event()
            future: Any = asyncio.wrap_future(executor.submit(abs, -number), loop=loop)
            future.add_done_callback(lambda _, ended=ended: ended.set())
            await asyncio.wait_for(ended.wait(), LIMIT)
            assert future.result() == number

    asyncio.run(main())


@watched_by_epoll
def test_readers_that_others_remove_do_not_strand_a_completion(
    executor: ThreadPoolExecutor,
) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        own = set(loop._selector.get_map())
        await call_often(executor)
        for descriptor in set(loop._selector.get_map()) - own:
            loop.remove_reader(descriptor)
        await call_often(executor)

    run_on("asyncio", main())


@watched_by_epoll
@each_loop
def test_a_closed_loop_leaves_no_descriptor(executor: ThreadPoolExecutor, kind: str) -> None:
    run_on(kind, call_often(executor))
    before = len(os.listdir(DESCRIPTORS))
    loops = []
    for _ in range(20):
        loop = loop_factory(kind)()
        loop.run_until_complete(call_often(executor))
        loop.close()
        loops.append(loop)
    assert len(os.listdir(DESCRIPTORS)) == before


def abandoned(pool: ThreadPoolExecutor) -> weakref.ref[Any]:
    """A loop that nobody closes, with a completion on its way."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(call_often(pool))
    future = loop.run_in_executor(pool, abs, -1)
    pool.submit(int).result(LIMIT)
    future.add_done_callback(lambda _: loop.stop())  # a cycle through the future
    return weakref.ref(loop)


def test_a_loop_that_nobody_closes_is_collected(
    make_executor: Callable[..., ThreadPoolExecutor],
) -> None:
    pool = make_executor(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's, for the loop that is open
        reference = abandoned(pool)
        assert pool.submit(int, 7).result(LIMIT) == 7
        assert eventually_dead(reference, 5)
