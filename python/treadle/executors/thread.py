"""ThreadPoolExecutor: the standard one's interface and behaviour on a native pool."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import deque
from weakref import ref

from treadle import compat
from treadle._core import Executor
from treadle.errors import BrokenThreadPool, TimeoutError
from treadle.executors import _shutdown, _standard_submit
from treadle.executors._streaming import Streaming
from treadle.executors._work_queue import WorkQueueView
from treadle.executors._worker_thread import WorkerThread
from treadle.futures import FIRST_COMPLETED, wait

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, ClassVar, TypeVar

    from treadle._core import Future, Worker

    T = TypeVar("T")

__all__ = ["ThreadPoolExecutor"]


class ThreadPoolExecutor(Streaming, Executor):
    """A `concurrent.futures.ThreadPoolExecutor` with native workers, queue and futures.

    Args:
        max_workers: The most threads that run calls; None for the standard library's default, a few
            more than there are processors.

        thread_name_prefix: What the threads' names begin with.

        initializer: A callable that each worker calls first; when it raises, the pool is broken.

        initargs: The initializer's arguments.

        propagate_context: Whether calls see the context variables of their submitter.

        daemon: Whether the interpreter's exit leaves running calls behind instead of waiting for
            them: it cancels those that are queued, and what runs stops wherever it is, with
            neither `finally` nor `with` blocks left.

    Raises:
        ValueError: `max_workers` is not positive.

        TypeError: `initializer` is not callable, or `daemon` is no bool.

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
        if type(daemon) is not bool:
            msg = f"daemon must be True or False, not {daemon!r}"  # type: ignore[unreachable]
            raise TypeError(msg)
        self._max_workers = max_workers
        self._threads: Any = set[threading.Thread]()
        self._leaving: deque[WorkerThread] = deque()  # in _threads still, so that they are joined
        self._broken = False
        self._thread_name_prefix = thread_name_prefix or f"ThreadPoolExecutor-{self._counter()}"
        self._initializer = initializer  # type: ignore[assignment]
        self._initargs = initargs
        self._daemon = daemon
        self._open(max_workers, propagate_context, daemon)

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

            buffersize: How many calls may be ahead of the reader; None collects all items now.

        Returns:
            An iterator; when it is closed, calls that have not started are cancelled.

        Raises:
            TimeoutError: From the iterator, when the time is up.

            Exception: From the iterator, whatever a call has raised, in its place.

        Example::

            for size in pool.map(os.path.getsize, paths):
                print(size)
        """
        return self._results(fn, iterables, timeout, buffersize, True)

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
        return self._results(fn, iterables, timeout, buffersize, False)

    def _results(
        self,
        fn: Callable[..., T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        buffersize: int | None,
        ordered: bool,
    ) -> Iterator[T]:
        _check_buffersize(buffersize)
        # A timeout of a wrong type gets the standard library's error.
        end_time = None if timeout is None else timeout + time.monotonic()
        if buffersize is None and self._may_batch(iterables):
            return self._map(fn, iterables, timeout, ordered)
        calls = zip(*iterables)  # noqa: B905  # the shortest one ends the calls
        futures = deque(self.submit(fn, *args) for args in itertools.islice(calls, buffersize))
        produce = _in_order if ordered else _as_they_come
        return produce(ref(self), fn, calls if buffersize else None, futures, end_time)

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> None:
        """Take no more calls; those that are queued still run.

        It may be called again, from several threads, and from signal handlers.

        Args:
            wait: Whether to wait until all calls have ended and the threads with them.

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
        self._leaving.append(thread)

    def _forget_ended_threads(self) -> None:
        alive: list[WorkerThread] = []
        with contextlib.suppress(IndexError):  # empty: several threads may be here
            while True:
                thread = self._leaving.popleft()
                if thread.is_alive():
                    alive.append(thread)
                else:
                    self._threads.discard(thread)
        self._leaving.extend(alive)

    def _break_off(self, message: str) -> None:
        self._broken = message  # type: ignore[assignment]  # True, and the text of the errors
        self._break(BrokenThreadPool(message))

    # ---- what the standard library's executor has, for its users

    def _submit_by_standard(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return _standard_submit.submit(self, fn, *args, **kwargs)  # type: ignore[return-value]

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


def _check_buffersize(buffersize: object) -> None:
    if buffersize is not None and not isinstance(buffersize, int):
        msg = "buffersize must be an integer or None"
        raise TypeError(msg)
    if buffersize is not None and buffersize < 1:
        msg = "buffersize must be None or > 0"
        raise ValueError(msg)


def _next_call(
    executor: ref[ThreadPoolExecutor],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
) -> None:
    """Submit one more call, as long as there are some and somebody still has the executor."""
    if calls is None or (pool := executor()) is None:
        return
    args = next(calls, None)
    if args is not None:
        futures.append(pool.submit(fn, *args))


def _take(future: list[Future[T]], end_time: float | None) -> T:
    """The result of the one future in the list, which is taken out and cancelled in the end."""
    taken = future.pop()
    try:
        return taken.result(None if end_time is None else end_time - time.monotonic())
    finally:
        taken.cancel()
        del taken  # the exception's traceback would keep it, and it keeps the exception


def _in_order(
    executor: ref[ThreadPoolExecutor],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
    end_time: float | None,
) -> Iterator[T]:
    try:
        while futures:
            _next_call(executor, fn, calls, futures)
            yield _take([futures.popleft()], end_time)
    finally:
        for future in futures:
            future.cancel()


def _as_they_come(
    executor: ref[ThreadPoolExecutor],
    fn: Callable[..., T],
    calls: Iterator[tuple[Any, ...]] | None,
    futures: deque[Future[T]],
    end_time: float | None,
) -> Iterator[T]:
    ended: deque[Any] = deque()  # by callback: in the order in which the calls ended
    watched: set[Future[T]] = set()
    try:
        while True:
            while futures:
                watched.add(futures[0])
                futures.popleft().add_done_callback(ended.append)
            if not watched:
                return
            first = [_first_ended(watched, ended, end_time)]
            _next_call(executor, fn, calls, futures)
            yield _take(first, end_time)
    finally:
        for future in (*watched, *futures):
            future.cancel()


def _first_ended(
    watched: set[Future[T]], ended: deque[Future[T]], end_time: float | None
) -> Future[T]:
    """Wait for one of the watched futures, and take it from them."""
    while True:
        while ended:
            future = ended.popleft()
            if future in watched:
                watched.remove(future)
                return future
        timeout = None if end_time is None else end_time - time.monotonic()
        done = wait(watched, timeout, FIRST_COMPLETED).done
        if not done:
            raise TimeoutError
        if not ended:  # it wakes waiters first and calls back then
            future = done.pop()
            watched.remove(future)
            return future
