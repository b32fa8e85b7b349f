"""A shutdown that an event loop awaits: a thread of its own does the waiting.

Thread safety: any thread; the helper shares nothing with the awaiter but one future.
"""

from __future__ import annotations

import contextlib
import sys
import threading

from treadle._core import Future
from treadle.errors import InvalidStateError
from treadle.executors import _shutdown
from treadle.executors._options import pool_of

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from treadle.executors.thread import ThreadPoolExecutor
    from treadle.executors.view import View

__all__ = ["end_in_thread", "shut_down_in_thread"]


async def shut_down_in_thread(
    pool: ThreadPoolExecutor, cancel_futures: bool, timeout: float | None
) -> None:
    _shutdown.check_timeout(timeout, wait=True)
    threads = pool._threads_to_join  # pyright: ignore[reportPrivateUsage]
    if pool._is_worker_here():
        msg = "a worker cannot wait for the end of its own pool: call shutdown(wait=False)"
        raise RuntimeError(msg)
    pool.shutdown(wait=False, cancel_futures=cancel_futures)
    running = sys.modules.get("treadle.streaming.running")
    if running is not None:
        running.stop_those_of(pool, running.current_reader(), whole_thread=False)
    if pool._thread_count() == 0 and not any(thread.is_alive() for thread in threads()):
        return
    await end_in_thread(pool, timeout)


async def end_in_thread(executor: ThreadPoolExecutor | View, timeout: float | None) -> None:
    """Wait for the end of one that takes no more calls."""
    over: Future[None] = Future()
    # A daemon: at exit the workers are joined anyway, and nobody waits for this one any more.
    helper = threading.Thread(
        target=_join,
        args=(executor, timeout, over),
        name=f"{pool_of(executor)._thread_name_prefix}-aclose",
        daemon=True,
    )
    helper.start()
    await over


def _join(executor: ThreadPoolExecutor | View, timeout: float | None, over: Future[None]) -> None:
    failure = None
    try:
        executor.shutdown(wait=True, timeout=timeout)
    except BaseException as error:
        failure = error
    with contextlib.suppress(InvalidStateError):  # its awaiter was cancelled
        if failure is None:
            over.set_result(None)
        else:
            over.set_exception(failure)
    del failure  # its traceback holds this frame
