"""asyncio on native threads: `to_thread`, `run_in_thread` and `run`.

asyncio is imported when one of them is used, not before.
"""

from __future__ import annotations

import functools
import sys
import threading

from treadle.coroutine_functions import refuse_coroutine_function
from treadle.executors.thread import ThreadPoolExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Executor
    from typing import Any, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["run", "run_in_thread", "to_thread"]

_shared: dict[str, ThreadPoolExecutor] = {}  # the pools of `to_thread`, from their first use on


async def to_thread(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in a thread, and wait for it without blocking the loop.

    As `asyncio.to_thread`, on a pool that all event loops of the process share.  When the waiting
    task is cancelled, so is the call, unless it has started.

    Args:
        fn: The function; it sees the context variables of the caller.

        *args: Its arguments.

        **kwargs: Its keyword arguments.

    Raises:
        TypeError: `fn` is a coroutine function, which needs no thread.

        Exception: Whatever the call has raised.

    Example::

        size = await treadle.to_thread(os.path.getsize, path)
    """
    refuse_coroutine_function(fn, "to_thread")
    return await _in_shared_pool(fn, *args, **kwargs)


def _in_shared_pool(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    pool = _shared_pool()
    if threading.current_thread() in pool._threads:  # pyright: ignore[reportPrivateUsage]
        # A call that runs a loop of its own: if all workers did, nobody would be left to serve
        # them.  asyncio has a pool for each loop.
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:
            nested: Awaitable[T] = asyncio.to_thread(fn, *args, **kwargs)
            return nested
        pool = _shared_pool("nested")
    return pool.submit(fn, *args, **kwargs)


def _shared_pool(which: str = "outer") -> ThreadPoolExecutor:
    """A pool of `to_thread`; in the child of a fork it is the same one, which starts clean there.

    There is no lock, which a fork could leave taken: a pool that comes second has no threads yet.
    """
    pool = _shared.get(which)
    if pool is None:
        pool = _shared.setdefault(which, ThreadPoolExecutor(thread_name_prefix="treadle"))
    return pool


if TYPE_CHECKING:

    @overload
    def run_in_thread(fn: Callable[P, T], /) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def run_in_thread(
        *, executor: Executor | None = None
    ) -> Callable[[Callable[P, T]], Callable[P, Coroutine[Any, Any, T]]]: ...


def run_in_thread(fn: Any = None, /, *, executor: Executor | None = None) -> Any:
    """Make a blocking function awaitable: each call runs in a thread.

    Args:
        fn: The function or method to decorate.

        executor: Where it runs, as the event loop's `run_in_executor` would run it if it is no
            executor of treadle; None for the pool of `to_thread`.

    Raises:
        TypeError: What is decorated is a coroutine function, or no function.

    Example::

        @treadle.run_in_thread
        def read(path):
            return path.read_bytes()


        data = await read(path)
    """
    if fn is None:
        return functools.partial(run_in_thread, executor=executor)
    if not callable(fn):
        hint = ": give an executor by name, @run_in_thread(executor=pool)" * hasattr(fn, "submit")
        msg = f"run_in_thread must decorate a function, not {fn!r}{hint}"
        raise TypeError(msg)
    refuse_coroutine_function(fn, "run_in_thread")

    @functools.wraps(fn)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if executor is None:
            return await _in_shared_pool(fn, *args, **kwargs)
        if isinstance(executor, ThreadPoolExecutor):
            return await executor.submit(fn, *args, **kwargs)
        import asyncio

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, functools.partial(fn, *args, **kwargs))

    return call


def run(
    main: Coroutine[Any, Any, T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], AbstractEventLoop] | None = None,
    max_workers: int | None = None,
) -> T:
    """Run a coroutine in a new event loop; as `asyncio.run`, with a default executor of treadle.

    Args:
        main: The coroutine.

        debug: Whether the loop runs in debug mode; None for the interpreter's setting.

        loop_factory: Makes the loop, on every Python; None for asyncio's own.

        max_workers: The most threads of the default executor, which is shut down at the end.

    Returns:
        What the coroutine has returned.

    Raises:
        RuntimeError: An event loop runs in this thread already.

        ValueError: `max_workers` is not positive.

    Example::

        treadle.run(main(), loop_factory=uvloop.new_event_loop)
    """
    import asyncio

    if asyncio._get_running_loop() is not None:
        msg = "treadle.run() cannot be called from a running event loop"
        raise RuntimeError(msg)
    executor = ThreadPoolExecutor(max_workers, "asyncio")
    if sys.version_info >= (3, 11):
        with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
            runner.get_loop().set_default_executor(executor)
            return runner.run(main)
    else:
        from treadle._loop_life import run_until_complete

        return run_until_complete(main, debug, loop_factory, executor)
