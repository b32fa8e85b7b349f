"""The iterations that run, by pool: who shuts down, or exits, must not wait for its own reading.

A generator that has filled its buffer holds a worker until somebody reads on.  When the one who
should read is the one who waits for the worker, the generator is stopped instead; its reader gets
what is in the buffer and then CancelledError.

Thread safety: every function, from any thread, and from inside the garbage collector: there is no
lock, as a set's own methods are atomic.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref

from treadle.executors._options import pool_of

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from treadle.streaming.belt import Belt

    Reader: TypeAlias = "tuple[int, weakref.ref[Any] | None]"

__all__ = ["Running", "current_reader", "stop_all", "stop_those_of"]


class Running:
    """One running iteration: its pool, or the view of it, its belt, and who read last."""

    __slots__ = ("_executor", "_pool", "belt", "reader")

    def __init__(self, executor: Any, belt: Belt) -> None:
        self._executor = weakref.ref(executor)
        self._pool = weakref.ref(pool_of(executor))
        self.belt = belt
        self.reader: Reader = current_reader()
        _running.add(self)

    def is_of(self, executor: object) -> bool:
        return self._executor() is executor or self._pool() is executor

    def forget(self, _producer: object = None) -> None:
        _running.discard(self)
        self.belt.filled.ring()


_running: set[Running] = set()


def current_reader() -> Reader:
    """This thread and, on asyncio, this task."""
    module = sys.modules.get("asyncio")
    task = None
    if module is not None and module._get_running_loop() is not None:
        task = module.current_task()
    return threading.get_ident(), None if task is None else weakref.ref(task)


def stop_all(pool: object) -> None:
    """Stop the pool's iterations, whoever reads them."""
    _stop(lambda one: one.is_of(pool))


def stop_those_of(pool: object, reader: Reader, *, whole_thread: bool) -> None:
    """Stop those of the pool's iterations that this thread, or only this task of it, reads."""
    thread, task = reader

    def is_its(one: Running) -> bool:
        if not one.is_of(pool):
            return False
        its_thread, its_task = one.reader
        if its_task is not None and _is_over(its_task()):
            return True  # who has read is gone; nobody else does, as far as can be known
        return its_thread == thread and (whole_thread or its_task == task)

    _stop(is_its)


def _is_over(task: Any) -> bool:
    return task is None or task.done()


def _stop(chosen: Callable[[Running], bool]) -> None:
    for one in _running.copy():
        if chosen(one) and not one.belt.stopped:
            one.belt.cut = True
            one.belt.stop()


def _stop_at_exit() -> None:
    """The pools' workers are joined next, while threads that are no daemons may still read."""
    main = threading.main_thread()
    readers = {one.ident for one in threading.enumerate() if not one.daemon and one is not main}
    _stop(lambda one: one.reader[0] not in readers)


def _forget_in_child() -> None:
    _running.clear()


with contextlib.suppress(RuntimeError):  # too late for that: no pool takes anything either
    threading._register_atexit(_stop_at_exit)  # type: ignore[attr-defined]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
