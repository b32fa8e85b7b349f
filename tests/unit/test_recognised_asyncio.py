"""What is recognised of asyncio takes the short way; anything else takes the ordinary one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import types
from typing import TYPE_CHECKING, Any

import pytest

from support.loops import each_loop, run_on
from support.waiting import Gate, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


class Loop(asyncio.SelectorEventLoop):
    """A loop that counts the futures it makes, and is told how to run calls."""

    made = 0

    def create_future(self) -> asyncio.Future[Any]:
        self.made += 1
        return super().create_future()


class LoopOfItsOwn(Loop):
    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = executor.submit(func, *args)
        assert isinstance(future, concurrent.futures.Future)
        return asyncio.wrap_future(future, loop=self)


class LoopWithACopy(Loop):
    # The same bytes, but not asyncio's own object: a tool may have made it, and mean something.
    run_in_executor = types.FunctionType(  # type: ignore[assignment]
        asyncio.SelectorEventLoop.run_in_executor.__code__.replace(co_firstlineno=1),
        asyncio.SelectorEventLoop.run_in_executor.__globals__,
    )


@pytest.mark.parametrize("loop_type", [Loop, LoopOfItsOwn, LoopWithACopy])
def test_every_kind_of_loop_makes_one_future_a_call(
    executor: ThreadPoolExecutor, loop_type: type[Loop]
) -> None:
    loop = loop_type()
    try:
        before = loop.made
        futures = [loop.run_in_executor(executor, pow, 2, n) for n in range(10)]
        assert loop.made == before + 10
        results = loop.run_until_complete(asyncio.wait_for(asyncio.gather(*futures), 30))
        assert results == [2**n for n in range(10)]
    finally:
        loop.close()


def test_a_function_of_the_same_name_is_not_mistaken(executor: ThreadPoolExecutor) -> None:
    def run_in_executor(self: object) -> Future[int]:
        return executor.submit(pow, 2, 5)

    asyncio.run(asyncio.sleep(0))
    assert isinstance(run_in_executor(object()), concurrent.futures.Future)


def test_a_callback_of_the_same_name_is_not_mistaken(
    future_type: type[Future[Any]],
) -> None:
    seen: list[Any] = []
    dest_loop, destination = "a loop", "a future"

    def _call_set_state(source: Any) -> None:
        seen.append((source, dest_loop, destination))

    future = future_type()
    future.add_done_callback(_call_set_state)
    future.set_result(1)
    assert seen == [(future, "a loop", "a future")]


def test_submit_behind_a_partial_works_in_an_executor_of_another_kind(
    executor: ThreadPoolExecutor,
) -> None:
    class Wrapper(concurrent.futures.Executor):
        submit = staticmethod(  # type: ignore[assignment]
            functools.partial(executor.submit)
        )

    async def main() -> int:
        return await asyncio.get_running_loop().run_in_executor(Wrapper(), pow, 2, 5)

    assert asyncio.run(main()) == 32


def test_compiled_code_between_asyncio_and_the_pool_gets_an_ordinary_future(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no frame of its own, so the calling Python function is asyncio's."""
    given: list[Any] = []

    def look(future: Any, *, loop: Any) -> Any:
        given.append(future)
        return asyncio.wrap_future(future, loop=loop)

    wrapper: Any = types.SimpleNamespace(submit=functools.partial(executor.submit))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(executor, pow, 2, 5)
        monkeypatch.setattr(asyncio.futures, "wrap_future", look)
        assert await loop.run_in_executor(wrapper, pow, 2, 5) == 32
        monkeypatch.undo()

    asyncio.run(main())
    assert isinstance(given[0], concurrent.futures.Future)


@each_loop
@pytest.mark.parametrize("how", ["result", "exception", "cancel"])
@pytest.mark.ours
def test_a_wrapped_future_is_done_when_it_would_be_with_the_standard_library(
    kind: str, how: str, future_type: type[Future[Any]]
) -> None:
    """Newer versions end it at once in the loop's own thread, older ones a turn later."""

    async def turns(future: Future[Any], somewhere: Callable[..., Any]) -> list[bool]:
        wrapped = asyncio.wrap_future(future)
        if how == "result":
            somewhere(future.set_result, 1)
        elif how == "exception":
            somewhere(future.set_exception, ValueError("x"))
        else:
            somewhere(future.cancel)
        seen = [wrapped.done()]
        await asyncio.wait([wrapped])
        assert wrapped.cancelled() == (how == "cancel")
        assert wrapped.cancelled() or (wrapped.exception() is None) == (how == "result")
        return seen

    def elsewhere(function: Callable[..., Any], *args: Any) -> None:
        in_thread(function, *args).get()

    def here(function: Callable[..., Any], *args: Any) -> None:
        function(*args)

    for somewhere in (here, elsewhere):
        expected = run_on(kind, turns(concurrent.futures.Future(), somewhere))
        assert run_on(kind, turns(future_type(), somewhere)) == expected


@each_loop
def test_a_future_wrapped_for_two_loops_ends_both(
    executor: ThreadPoolExecutor, gate: Gate, kind: str
) -> None:
    future = executor.submit(gate.wait, 7)

    async def main() -> Any:
        wrapped = asyncio.wrap_future(future)
        gate.await_arrivals(0)
        return await wrapped

    runs = [in_thread(lambda: run_on(kind, main())) for _ in range(3)]
    gate.open()
    assert [result.get() for result in runs] == [7, 7, 7]


@each_loop
def test_a_wrapped_future_takes_its_source_along_when_it_is_cancelled(
    executor: ThreadPoolExecutor, gate: Gate, workers: int, kind: str
) -> None:
    async def main() -> None:
        blockers = [executor.submit(gate.wait) for _ in range(workers)]
        gate.await_arrivals(workers)
        queued = executor.submit(int)
        wrapped = asyncio.wrap_future(queued)
        wrapped.cancel()
        await asyncio.wait([wrapped])
        assert queued.cancelled()
        running = asyncio.wrap_future(blockers[0])
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert blockers[0].running()
        gate.open()

    run_on(kind, main())
