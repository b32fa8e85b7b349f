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
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor
    from typing import Any, ParamSpec, TypeVar, overload

    from treadle._core import Future

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["run", "run_in_thread", "to_thread"]

# The pools of `to_thread`, from their first use on, by depth: 0 is for everybody, 1 for what the
# workers of 0 await in loops of their own, and so on.
_shared: dict[int, ThreadPoolExecutor] = {}


def _no_pool_yet(*_: object, **__: object) -> None:
    """In place of the first pool's `_submit_plain`."""


_submit_plain: Any = _no_pool_yet


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
    future: Future[T] | None = _submit_plain(fn, *args, **kwargs)
    if future is None:
        refuse_coroutine_function(fn, "to_thread")
        future = _in_shared_pool(fn, *args, **kwargs)
    return await future


def _in_shared_pool(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Submit to the pool that serves this thread.

    Were it the one that the thread belongs to, all workers could wait for calls that nobody is
    left to run.
    """
    global _submit_plain
    thread = threading.current_thread()
    depth = 0
    for level, other in list(_shared.items()):
        if thread in other._threads:  # pyright: ignore[reportPrivateUsage]
            depth = level + 1
    pool = _shared.get(depth)
    if pool is None:
        # There is no lock, which a fork could leave taken: a pool that comes second has no threads
        # yet.  In the child of a fork the pools are the same, and start clean there.
        pool = _shared.setdefault(depth, ThreadPoolExecutor(thread_name_prefix="treadle"))
        _submit_plain = _shared[0]._submit_plain
    return pool.submit(fn, *args, **kwargs)


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
            if executor._max_pending is None:  # pyright: ignore[reportPrivateUsage]
                return await executor.submit(fn, *args, **kwargs)
            return await (await executor.submit_async(fn, *args, **kwargs))
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
