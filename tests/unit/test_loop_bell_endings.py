"""What befalls a loop from outside costs at most the completion that it befalls."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.processes import run_python
from support.waiting import LIMIT, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor
    from types import FrameType

variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.SelectorEventLoop()
    yield loop
    loop.close()


async def call_often(pool: ThreadPoolExecutor) -> None:
    """Waits for a few calls, one after the other: the loop sleeps meanwhile, and is woken."""
    loop = asyncio.get_running_loop()
    for number in range(3):
        assert await asyncio.wait_for(loop.run_in_executor(pool, abs, -number), LIMIT) == number


def interrupt_when(called: Callable[[FrameType], bool]) -> Callable[..., None]:
    """A trace function in the place of Ctrl-C: it raises when such a function is entered."""

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and called(frame):
            sys.settrace(None)
            raise KeyboardInterrupt

    return trace


@pytest.mark.skipif(os.name != "posix", reason="sockets have other numbers elsewhere")
def test_a_descriptor_that_was_closed_while_it_was_watched(
    executor: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop
) -> None:
    """What the loop opens next has the same number."""
    read, write = os.pipe()
    loop.add_reader(read, print)
    os.close(read)
    loop.run_until_complete(call_often(executor))
    loop.remove_reader(read)
    loop.run_until_complete(call_often(executor))
    os.close(write)


def test_an_interrupt_in_the_place_of_a_callback_costs_one_completion(
    executor: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop, gate: Gate
) -> None:
    def completes(frame: FrameType) -> bool:
        if frame.f_code is not asyncio.events.Handle._run.__code__:
            return False
        callback: Any = frame.f_locals["self"]._callback
        called = getattr(callback, "__qualname__", type(callback).__qualname__)
        return called == "LoopDrain" or "_set_state" in called

    async def wait() -> None:
        future = loop.run_in_executor(executor, gate.wait)
        gate.await_arrivals()
        loop.call_soon(gate.open)
        sys.settrace(interrupt_when(completes))
        await future

    loop.run_until_complete(call_often(executor))
    task = loop.create_task(wait())
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(task)
    finally:
        sys.settrace(None)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.run_until_complete(call_often(executor))


@pytest.mark.ours
@pytest.mark.skipif(sys.platform != "linux", reason="bells are Linux's eventfds")
@pytest.mark.parametrize("function", ["remove_reader", "add_reader", "_add_reader"])
def test_an_interrupt_while_the_loop_gets_its_bell(
    executor: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop, function: str
) -> None:
    async def begin() -> None:
        sys.settrace(interrupt_when(lambda frame: frame.f_code.co_name == function))
        await executor.submit(abs, -1)  # type: ignore[misc]

    task = loop.create_task(begin())
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(task)
    finally:
        sys.settrace(None)
    loop.run_until_complete(call_often(executor))  # with the exception still there
    assert isinstance(task.exception(), KeyboardInterrupt)


def test_the_first_callers_variables_are_not_kept(
    executor: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop
) -> None:
    class Request:
        pass

    async def serve() -> weakref.ref[Request]:
        request = Request()
        variable.set(request)
        await call_often(executor)
        return weakref.ref(request)

    reference = loop.run_until_complete(serve())
    loop.run_until_complete(call_often(executor))
    gc.collect()
    assert reference() is None


@pytest.mark.ours
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_loop_goes_on_in_the_child_of_a_fork_between_end_and_wake_up() -> None:
    output = run_python(
        "import asyncio, os, threading, warnings, treadle\n",
        """
        warnings.simplefilter("ignore")
        inside, held = threading.Event(), threading.Lock()  # an event's lock may be forked in use

        class Loop(asyncio.SelectorEventLoop):
            def call_soon_threadsafe(self, callback, *args, **options):
                inside.set()
                with held:
                    pass
                return super().call_soon_threadsafe(callback, *args, **options)

        async def call(pool):
            return await asyncio.wait_for(loop.run_in_executor(pool, int, 7), 30)

        loop, pool = Loop(), treadle.ThreadPoolExecutor(1)
        loop.run_until_complete(call(pool))
        inside.clear()
        held.acquire()
        future = loop.run_in_executor(pool, int)
        inside.wait()
        child = os.fork()
        held.release()
        if child == 0:
            print(loop.run_until_complete(call(treadle.ThreadPoolExecutor(1))), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        loop.run_until_complete(future)
        loop.close()
        """,
    )
    assert output == "7\n"
