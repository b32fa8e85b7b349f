"""`to_thread` and `run_in_thread`: blocking calls awaited, as `asyncio.to_thread` does it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import os
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome
from support.processes import run_python
from support.waiting import Gate, occupy, throw

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Blocking:
    """Blocking functions of several kinds."""

    def __init__(self, value: int) -> None:
        self.value = value

    @treadle.run_in_thread
    def method(self, number: int = 1) -> tuple[int, str]:
        """Documented."""
        return self.value + number, threading.current_thread().name

    @classmethod
    @treadle.run_in_thread
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    @treadle.run_in_thread
    def static(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return args, kwargs


class Asynchronous:
    async def method(self) -> None: ...

    async def __call__(self) -> None: ...


async def coroutine_function() -> None: ...


async def async_generator_function() -> Any:
    yield 1


def thread_name() -> str:
    return threading.current_thread().name


def same_as_asyncio(fn: Any, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """What comes of the call by `asyncio.to_thread` and by ours, which must be the same."""
    ours = outcome(asyncio.run, treadle.to_thread(fn, *args, **kwargs))
    assert ours == outcome(asyncio.run, asyncio.to_thread(fn, *args, **kwargs))
    return ours


def test_to_thread_gives_results_and_exceptions() -> None:
    assert same_as_asyncio(int, "11", base=2) == ("gave", 3)
    assert same_as_asyncio(dict, fn=1, func=2) == ("gave", {"fn": 1, "func": 2})
    assert same_as_asyncio(throw, ValueError("text")) == ("raised", ValueError, "text")
    assert same_as_asyncio(throw, asyncio.CancelledError("text"))[0] == "raised"
    assert same_as_asyncio("no function")[:2] == ("raised", TypeError)


def test_stop_iteration_ends_the_wait_as_an_error(gate: Gate) -> None:
    # asyncio.to_thread does the same from Python 3.12 on; before, it never ends.
    async def main() -> None:
        asyncio.get_running_loop().call_later(0, gate.open)
        await treadle.to_thread(lambda: (gate.wait(), throw(StopIteration(3))))

    with pytest.raises((RuntimeError, TypeError), match="StopIteration interacts badly"):
        asyncio.run(main())


def test_to_thread_is_a_coroutine_for_tasks_and_groups() -> None:
    async def main() -> list[str]:
        assert inspect.iscoroutinefunction(treadle.to_thread)
        made = asyncio.create_task(treadle.to_thread(thread_name))
        gathered = await asyncio.gather(*(treadle.to_thread(thread_name) for _ in range(20)))
        waited = await asyncio.wait_for(treadle.to_thread(thread_name), 30)
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                group.create_task(treadle.to_thread(thread_name))
        return [await made, *gathered, waited]

    assert all(name.startswith("treadle_") for name in asyncio.run(main()))


def test_all_loops_share_one_pool_that_outlives_them() -> None:
    async def main() -> threading.Thread:
        return await treadle.to_thread(threading.current_thread)

    first = asyncio.run(main())
    assert first.is_alive()
    assert {asyncio.run(main()).name.split("_")[0] for _ in range(3)} == {"treadle"}


@pytest.mark.parametrize("to_thread", [treadle.to_thread, asyncio.to_thread])
def test_the_call_runs_in_a_copy_of_the_context(to_thread: Callable[..., Any]) -> None:
    def change() -> str:
        seen = variable.get()
        variable.set("changed in the thread")
        return seen

    async def main() -> None:
        variable.set("of the caller")
        assert await to_thread(change) == "of the caller"
        assert variable.get() == "of the caller"
        assert await to_thread(change) == "of the caller"

    asyncio.run(main())


def test_cancelling_the_awaiter_cancels_a_queued_call(gate: Gate) -> None:
    pool = treadle.ThreadPoolExecutor(1)
    ran: list[int] = []

    @treadle.run_in_thread(executor=pool)
    def run() -> None:
        ran.append(1)

    async def main() -> None:
        occupy(pool, gate, 1)
        task = asyncio.create_task(run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gate.open()
    pool.shutdown()
    assert ran == []


def test_cancelling_the_awaiter_leaves_a_running_call_alone(gate: Gate) -> None:
    ended = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(treadle.to_thread(lambda: (gate.wait(), ended.set())))
        await asyncio.to_thread(gate.await_arrivals)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gate.open()
    assert ended.wait(30)


@pytest.mark.parametrize(
    "fn",
    [
        coroutine_function,
        async_generator_function,
        Asynchronous().method,
        Asynchronous(),
        functools.partial(functools.partial(coroutine_function)),
        functools.partial(Asynchronous()),
    ],
)
def test_coroutine_functions_are_refused_with_what_to_do(fn: Any) -> None:
    kind = (
        "an async generator function: read it with 'async for'"
        if fn is async_generator_function
        else "a coroutine function: await its call itself"
    )
    with pytest.raises(TypeError, match=f"to_thread is for blocking functions, and .* is {kind}"):
        asyncio.run(treadle.to_thread(fn))
    with pytest.raises(TypeError, match=f"run_in_thread is for .* is {kind}"):
        treadle.run_in_thread(fn)


def test_functions_of_other_kinds_are_not_refused() -> None:
    class Callable_:
        def __call__(self) -> int:
            return 4

    def generator_function() -> Any:
        yield 5

    async def main() -> None:
        assert await treadle.to_thread(Callable_()) == 4
        assert type(await treadle.to_thread(Callable_)) is Callable_
        assert type(await treadle.to_thread(Asynchronous)) is Asynchronous
        assert list(await treadle.to_thread(generator_function)) == [5]
        assert await treadle.to_thread(functools.partial(int, "7")) == 7
        assert await treadle.to_thread("x".upper) == "X"

    asyncio.run(main())


def test_run_in_thread_makes_functions_and_methods_awaitable() -> None:
    async def main() -> None:
        value, name = await Blocking(4).method(number=3)
        assert (value, name.partition("_")[0]) == (7, "treadle")
        assert await Blocking.of_class() == "Blocking"
        assert await Blocking(1).static(1, executor=2, fn=3) == ((1,), {"executor": 2, "fn": 3})

    asyncio.run(main())


def test_run_in_thread_keeps_what_the_function_tells_of_itself() -> None:
    assert Blocking.method.__name__ == "method"
    assert Blocking.method.__doc__ == "Documented."
    assert inspect.iscoroutinefunction(Blocking.method)
    assert str(inspect.signature(Blocking.method)).startswith("(self, number")


@pytest.mark.parametrize(
    "kind", [treadle.ThreadPoolExecutor, concurrent.futures.ThreadPoolExecutor]
)
def test_run_in_thread_takes_any_executor(kind: Any) -> None:
    with kind(1, "chosen") as pool:

        @treadle.run_in_thread(executor=pool)
        def name(suffix: str, *, prefix: str) -> str:
            return prefix + thread_name() + suffix

        assert asyncio.run(name("!", prefix="?")) == "?chosen_0!"


def test_run_in_thread_without_arguments_may_have_parentheses() -> None:
    assert asyncio.run(treadle.run_in_thread()(pow)(2, 5)) == 32


def test_run_in_thread_tells_how_to_give_an_executor() -> None:
    with pytest.raises(TypeError, match=r"@run_in_thread\(executor=pool\)"):
        treadle.run_in_thread(treadle.ThreadPoolExecutor(1))
    with pytest.raises(TypeError, match="must decorate a function, not 3"):
        treadle.run_in_thread(3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_goes_on_with_threads_of_its_own() -> None:
    output = run_python(
        "import asyncio, os, sys, treadle\n",
        """
        print(asyncio.run(treadle.to_thread(pow, 2, 3)), flush=True)
        process = os.fork()
        ended = os.waitpid(process, 0)[1] if process else "child"
        print(asyncio.run(treadle.to_thread(pow, 2, 5)), ended, flush=True)
        """,
    )
    assert output.split() == ["8", "32", "child", "32", "0"]


ALL_AT_ONCE = {
    "asyncio": """
        import asyncio

        def run(fn, *args):
            return asyncio.run(fn(*args))

        async def at_once(calls, fn, *args):
            await asyncio.gather(*(fn(*args) for _ in range(calls)))
        """,
    "trio": """
        from trio import open_nursery, run

        async def at_once(calls, fn, *args):
            async with open_nursery() as nursery:
                for _ in range(calls):
                    nursery.start_soon(fn, *args)
        """,
}


@pytest.mark.parametrize("loops", ALL_AT_ONCE)
@pytest.mark.parametrize("threads", [1, 4])
def test_calls_that_run_loops_of_their_own_do_not_wait_for_each_other(
    loops: str, threads: int
) -> None:
    pytest.importorskip(loops)
    output = run_python(
        textwrap.dedent(ALL_AT_ONCE[loops]),
        f"""
        import os
        os.environ["TREADLE_MAX_WORKERS"] = "{threads}"
        import treadle

        results = []

        @treadle.run_in_thread
        def innermost():
            return 1

        def nested(levels):
            return run(treadle.to_thread, int, "2") + run(innermost) + (
                run(treadle.to_thread, nested, levels - 1) if levels else 0
            )

        async def outermost():
            results.append(await treadle.to_thread(nested, 3))

        run(at_once, 20, outermost)
        print(len(results), set(results))
        """,
    )
    assert output == "20 {12}\n"


def test_asyncio_is_not_imported_before_it_is_used() -> None:
    source = "import sys; before = set(sys.modules)\nimport treadle\n"
    source += "print([name for name in ('asyncio', 'typing') if name in set(sys.modules) - before])"
    assert run_python("", source) == "[]\n"
