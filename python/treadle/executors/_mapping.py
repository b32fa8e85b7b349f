"""How `map` and `map_unordered` have calls made: at once, as room allows, or one by one."""

from __future__ import annotations

import itertools
import time
from collections import deque
from weakref import ref

from treadle.executors._bounded import submits_natively
from treadle.executors._results import (
    as_they_come,
    check_buffersize,
    first_ended,
    in_order,
    take,
)

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["results"]


def results(
    executor: Any,
    fn: Callable[..., T],
    iterables: tuple[Iterable[Any], ...],
    timeout: float | None,
    buffersize: int | None,
    ordered: bool,
) -> Iterator[T]:
    """The iterator that `map` of the executors gives; not ordered, that of `map_unordered`."""
    check_buffersize(buffersize)
    # A timeout of a wrong type gets the standard library's error.
    end_time = None if timeout is None else timeout + time.monotonic()
    bound = executor._max_pending
    if buffersize is None and bound is None and executor._may_batch(iterables):
        return executor._map(fn, iterables, timeout, ordered)  # type: ignore[no-any-return]
    calls = zip(*iterables)  # noqa: B905  # the shortest one ends the calls
    if bound is not None and submits_natively(executor):
        return _lazy_results(executor, fn, calls, buffersize, end_time, ordered)
    futures = deque(executor.submit(fn, *args) for args in itertools.islice(calls, buffersize))
    produce = in_order if ordered else as_they_come
    return produce(ref(executor), fn, calls if buffersize else None, futures, end_time)


def _lazy_results(
    executor: Any,
    fn: Callable[..., T],
    arguments: Iterator[tuple[Any, ...]],
    buffersize: int | None,
    end_time: float | None,
    ordered: bool,
) -> Iterator[T]:
    from treadle.executors._lazy_map import Calls
    from treadle.executors._lazy_map import as_they_come as lazily
    from treadle.executors._lazy_map import in_order as lazily_in_order

    calls = Calls(executor, fn, arguments, buffersize, end_time)
    calls.fill()
    if not calls.flight:
        calls.raise_error()
    return lazily_in_order(calls, take) if ordered else lazily(calls, take, first_ended)
