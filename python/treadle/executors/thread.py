"""ThreadPoolExecutor: the standard one's interface and behaviour on a native pool."""

from __future__ import annotations

import itertools
import threading

from treadle import compat
from treadle._core import Executor
from treadle.errors import BrokenThreadPool
from treadle.executors import _shutdown, _standard_submit
from treadle.executors._bounded import Bounded, check_bound
from treadle.executors._mapping import results
from treadle.executors._options import WithOptions
from treadle.executors._resizing import Resizing, check_count, check_keep_alive
from treadle.executors._streaming import Streaming
from treadle.executors._work_queue import WorkQueueView
from treadle.executors._worker_thread import WorkerThread

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

    from treadle._core import Future, Worker
    from treadle.statistics import ExecutorStatistics

    T = TypeVar("T")
    WhenFull: TypeAlias = Literal["block", "raise", "run", "drop_oldest"]

__all__ = ["ThreadPoolExecutor"]


class ThreadPoolExecutor(Bounded, Streaming, WithOptions, Resizing, Executor):
    """A `concurrent.futures.ThreadPoolExecutor` with native workers, queue and futures.

    Args:
        max_workers: The most threads that run calls; None for the standard library's default, a few
            more than there are processors.

        thread_name_prefix: What the threads' names begin with.

        initializer: A callable that each worker calls first; when it raises, the pool is broken.

        initargs: The initializer's arguments.

        propagate_context: Whether calls see the context variables of their submitter.

        max_pending: The most calls that may wait in the queue; those that run do not count.  None
            for any number.

        when_full: What a submit does that finds no room.  "block": it waits, also in the thread of
            an event loop (`submit_async` does not block that); a worker of the pool runs the call
            itself instead.  "raise": it raises `treadle.errors.QueueFull`.  "run": the caller runs
            the call, and gets a future that is done.  "drop_oldest": the call that has waited
            longest is cancelled, of the least urgent where they have priorities.

        min_workers: How many threads `keep_alive` leaves, of those that have been started; 0 when
            not given.  A thread is started when a call needs it, the first ones, too.

        keep_alive: Seconds after which an idle thread leaves, as long as more than `min_workers`
            are there; None for never.  Another takes its place when calls need it.

        histograms: Whether `statistics` tells how long calls waited and ran.  Clocks are read only
            then, two or three times a call, which costs up to 100 ns.

        daemon: Whether the interpreter's exit leaves running calls behind instead of waiting for
            them: it cancels those that are queued, and what runs stops wherever it is, with
            neither `finally` nor `with` blocks left.

    Raises:
        ValueError: `max_workers` or `max_pending` is not positive, `when_full` is none of the four,
            `min_workers` is negative or greater than `max_workers`, or `keep_alive` is not positive
            or not finite.

        TypeError: `initializer` is not callable, `max_pending` or `min_workers` is no integer, or
            `keep_alive` no number, or `daemon` is no bool.

    Example::

        with ThreadPoolExecutor(max_workers=4) as pool:
            print(pool.submit(pow, 323, 1235).result())
    """

    # Distinguishes the thread names of pools without a prefix, as the standard class does.
    _counter: ClassVar[Any] = itertools.count().__next__

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        propagate_context: bool = True,
        max_pending: int | None = None,
        when_full: WhenFull = "block",
        min_workers: int | None = None,
        keep_alive: float | None = None,
        histograms: bool = False,
        daemon: bool = False,
    ) -> None:
        if max_workers is None:
            max_workers = compat.default_max_workers()
        if max_workers <= 0:
            msg = "max_workers must be greater than 0"
            raise ValueError(msg)
        if initializer is not None and not callable(initializer):
            msg = "initializer must be a callable"  # type: ignore[unreachable]
            raise TypeError(msg)
        max_workers = check_count(max_workers, "max_workers", 1)
        max_pending = check_bound(max_pending, when_full)
        retention = check_keep_alive(keep_alive, min_workers, max_workers)
        self._max_pending = max_pending
        self._when_full = when_full
        if type(daemon) is not bool:
            msg = f"daemon must be True or False, not {daemon!r}"  # type: ignore[unreachable]
            raise TypeError(msg)
        self._max_workers = max_workers
        self._threads: Any = set[threading.Thread]()
        self._leaving: Any = set[threading.Thread]()  # not in _threads any more, but to be joined
        self._broken = False
        self._thread_name_prefix = thread_name_prefix or f"ThreadPoolExecutor-{self._counter()}"
        self._initializer = initializer  # type: ignore[assignment]
        self._initargs = initargs
        self._daemon = daemon
        self._open(max_workers, propagate_context, histograms, daemon, *retention)
        if max_pending is not None:
            self._bound(max_pending, when_full)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call `fn` with the items of the iterables; give the results in order.

        Args:
            fn: A callable that takes one item of each iterable.

            *iterables: What to call it with; the shortest one ends the calls.

            timeout: Seconds from now until the last result must be there; None for ever.

            chunksize: For other executors; threads do not need it.

            buffersize: How many calls may be ahead of the reader; None collects all items now.  On
                a pool with `max_pending` the reader submits as there is room, None being as many
                calls as can wait and run at once: read on before the pool is shut down.

        Returns:
            An iterator; when it is closed, calls that have not started are cancelled.

        Raises:
            TimeoutError: From the iterator, when the time is up.

            Exception: From the iterator, whatever a call has raised, in its place.

        Example::

            for size in pool.map(os.path.getsize, paths):
                print(size)
        """
        return results(self, fn, iterables, timeout, buffersize, ordered=True)

    def map_unordered(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call `fn` with the items of the iterables; give the results as they come.

        The arguments, the iterator and the errors are those of `map`.

        Example::

            for page in pool.map_unordered(fetch, urls):
                print(len(page))
        """
        return results(self, fn, iterables, timeout, buffersize, ordered=False)

    def statistics(self) -> ExecutorStatistics:
        """Tell what the pool is doing, and what it has done.

        It takes some tens of microseconds, and slows no call.

        Returns:
            Exact counts; with `histograms`, also how long calls waited and ran.

        Example::

            statistics = pool.statistics()
            print(statistics.pending, "waiting,", statistics.failed, "failed")
        """
        from treadle.statistics import statistics_of

        return statistics_of(self)

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> None:
        """Take no more calls; those that are queued still run.

        It may be called again, from several threads, and from signal handlers.

        Args:
            wait: Whether to wait until all calls have ended and the threads with them; not for a
                call that its submitter runs (`when_full="run"`).

            cancel_futures: Whether to cancel the calls that have not started.

            timeout: Seconds to wait; None for ever.

        Raises:
            ShutdownTimeout: Calls still run when the time is up; it names them.  They go on, and
                another `shutdown` waits for them.

            RuntimeError: A worker of this pool waits for itself.

            ValueError: `timeout` is negative or not finite, or given with `wait=False`.

            TypeError: `timeout` is no number.

        Example::

            pool.shutdown(cancel_futures=True, timeout=10)
        """
        _shutdown.check_timeout(timeout, wait=wait)
        self._close()
        deadline = _shutdown.deadline_of(self, timeout)
        if cancel_futures:
            _shutdown.wait_until_started(self, deadline)
            self._cancel_queued()
        self._stop_iterations(wait, cancel_futures)
        if wait:
            _shutdown.join(self, timeout, deadline)

    def _run_what_waits(self) -> None:
        """Run it in this thread, which is about to wait for it, where there are no others."""

    # ---- what the native half calls

    def _start_worker(self, worker: Worker) -> WorkerThread:
        name = f"{self._thread_name_prefix}_{worker.next_number}"
        thread = WorkerThread(worker, name, self._daemon)
        self._forget_ended_threads()
        # Known before it runs, so that nobody who shuts down in between misses it.
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:
            if not thread.has_started():
                self._threads.discard(thread)
            raise
        return thread

    def _thread_leaves(self, thread: WorkerThread) -> None:
        self._leaving.add(thread)
        self._threads.discard(thread)

    def _threads_to_join(self) -> list[WorkerThread]:
        # In this order: one that leaves meanwhile is seen in the one set or in the other.
        return [*self._threads.copy(), *self._leaving.copy()]

    def _forget_ended_threads(self) -> None:
        for thread in self._leaving.copy():
            if not thread.is_alive():
                self._leaving.discard(thread)

    def _break_off(self, message: str) -> None:
        self._broken = message  # type: ignore[assignment]  # True, and the text of the errors
        self._break(BrokenThreadPool(message))

    # ---- what the standard library's executor has, for its users

    def _submit_by_standard(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return _standard_submit.submit(self, fn, *args, **kwargs)  # type: ignore[return-value]

    def _try_submit_by_standard(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any] | None:
        return _standard_submit.try_submit(self, fn, *args, **kwargs)  # type: ignore[return-value]

    def _accept_item(self, item: Any) -> None:
        _standard_submit.accept(self, item)

    def _adjust_thread_count(self) -> None:
        """The native pool has done it when the item was put."""

    @staticmethod
    def _resolve_work_item_task(
        fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        return fn, args, kwargs

    @property
    def _work_queue(self) -> WorkQueueView:  # type: ignore[override]
        return WorkQueueView(self)

    @property
    def _idle_semaphore(self) -> threading.Semaphore:  # type: ignore[override]
        """A semaphore that counts the workers that are idle now; taking it changes nothing."""
        return threading.Semaphore(self._idle_workers())

    @property
    def _shutdown_lock(self) -> threading.Lock:  # type: ignore[override]
        """A lock of its own for each executor; the native pool needs none."""
        lock: threading.Lock = self.__dict__.setdefault("_lock", threading.Lock())
        return lock
