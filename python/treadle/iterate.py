"""`pool.iterate`: a generator that runs in a worker, read with `for` or `async for`.

Thread safety: one reader at a time, in any thread or loop; `close` from any thread.
Invariants:
 1. The producer's future ends after the last item was put on the belt: a reader that finds the
    future done looks at the buffer once more, and then knows that it has seen everything.
 2. The worker refers to the belt, never to the iteration: when its reader lets go of it, it closes.
 3. Whatever interrupts a wait (Ctrl-C, the cancellation of the reader) closes the iteration.
"""

from __future__ import annotations

import sys
from collections import deque

from treadle._generic import Generic
from treadle.errors import CancelledError
from treadle.streaming import checks
from treadle.streaming.bell import until_done
from treadle.streaming.belt import Belt
from treadle.streaming.flight import expect_wait
from treadle.streaming.raising import raisable
from treadle.streaming.running import Running, current_reader

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from typing import Any, TypeVar

    import treadle
    from treadle.executors.thread import ThreadPoolExecutor

    T = TypeVar("T")

else:
    T = None  # `typing` is not imported for a mere annotation


__all__ = ["Iteration", "open_iteration"]


def open_iteration(
    pool: ThreadPoolExecutor,
    generator_fn: Callable[..., Iterable[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    buffersize: int,
) -> Iteration[T]:
    """What `iterate` of the executors gives."""
    checks.check_function(generator_fn, "iterate")
    checks.check_size(buffersize, "buffersize", optional=False)
    return Iteration(pool, generator_fn, args, kwargs, buffersize)


def _submit(pool: ThreadPoolExecutor, produce: Callable[..., None], *args: Any) -> Future[None]:
    """Have a worker run the producer: its reader, if it ran it, would wait for itself."""
    bound, policy = pool._max_pending, pool._when_full  # pyright: ignore[reportPrivateUsage]
    if bound is None or policy in {"raise", "drop_oldest"}:
        return pool.submit(produce, *args)
    producer = pool._submit_in_time(None, produce, *args)
    assert producer is not None, "waiting for room has no limit"
    return producer


class Iteration(Generic[T]):
    """The items of `pool.iterate`; an iterator and an async iterator."""

    __slots__ = ("__weakref__", "_belt", "_buffer", "_low", "_pop", "_producer", "_running")

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        fn: Callable[..., Iterable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        buffersize: int,
    ) -> None:
        belt = Belt(buffersize)
        running = Running(pool, belt)  # known before it runs: a shutdown in between must see it
        try:
            producer = _submit(pool, belt.produce, fn, args, kwargs)
        except BaseException:
            running.forget()
            raise
        self._producer: Future[None] | None = producer
        self._belt = belt
        self._buffer = belt.buffer
        self._low = belt.low
        self._pop: Callable[[], T] = belt.buffer.popleft
        self._running = running
        producer.add_done_callback(running.forget)

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the very end modules are empty, and the workers are gone.
        if hasattr(self, "_running") and not _is_finalizing():
            self.close()

    def __iter__(self) -> Iteration[T]:
        self._running.reader = current_reader()
        return self

    def __next__(self) -> T:
        try:
            item = self._pop()
        except IndexError:
            return self._wait_for_next()
        if len(self._buffer) == self._low:
            self._belt.room.ring()
        return item

    def __aiter__(self) -> Iteration[T]:
        self._running.reader = current_reader()
        return self

    async def __anext__(self) -> T:
        try:
            item = self._pop()
        except IndexError:
            return await self._wait_for_next_async()
        if len(self._buffer) == self._low:
            self._belt.room.ring()
        return item

    def close(self) -> None:
        """Stop: the generator is closed by its worker as soon as it has produced its next item.

        It does not wait for that; `aclose` does.
        """
        producer, self._producer = self._producer, None
        self._belt.stop()
        nothing: deque[T] = deque()  # the generator may put one more item on the belt
        self._buffer.clear()
        self._buffer, self._pop = nothing, nothing.popleft
        if producer is not None:
            producer.cancel()
        self._belt.filled.ring()

    async def aclose(self) -> None:
        """Stop as `close` does, wait until the generator is closed; raise what that raised."""
        producer = self._producer
        self.close()
        if producer is not None:
            await until_done(producer)
            if self._belt.closing_error is not None:
                raise self._belt.closing_error

    def _wait_for_next(self) -> T:
        while not self._is_over():
            waiting = self._arm()
            if waiting is not None:
                try:
                    waiting.result()
                except BaseException:
                    self.close()
                    raise
            if self._buffer:
                return self.__next__()
        error = self._end()
        if error is None:
            raise StopIteration
        raise raisable(error)

    async def _wait_for_next_async(self) -> T:
        while not self._is_over():
            waiting = self._arm()
            if waiting is not None:
                try:
                    await waiting
                except BaseException:
                    self.close()
                    raise
            if self._buffer:
                return await self.__anext__()
        error = self._end()
        if error is None:
            raise StopAsyncIteration
        raise raisable(error)

    def _arm(self) -> treadle.Future[None] | None:
        """What to wait for, or None when there is something to look at already."""
        belt, producer = self._belt, self._producer
        self._running.reader = current_reader()
        belt.room.ring()
        if producer is not None:
            expect_wait(producer)
        waiting = belt.filled.arm()
        if not self._buffer and producer is not None and not producer.done():
            return waiting
        belt.filled.disarm()
        return None

    def _is_over(self) -> bool:
        producer = self._producer
        return (producer is None or producer.done()) and not self._buffer

    def _end(self) -> BaseException | None:
        """What the reader has to be told after the last item."""
        producer, self._producer = self._producer, None
        if producer is None:
            return None
        error = None if producer.cancelled() else producer.exception()
        complete = self._belt.exhausted or not (self._belt.cut or producer.cancelled())
        if error is None and not complete:
            return CancelledError("the pool was shut down before the generator had ended")
        return error
