"""Waiting for what must happen, with a limit instead of hope."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

LIMIT = 30.0
"""Seconds after which something that must happen counts as not happening."""


class Gate:
    """Closed until opened; those who wait too long at it fail instead of hanging."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._arrived = threading.Semaphore(0)

    def open(self) -> None:
        self._event.set()

    def wait(self, result: Any = None) -> Any:
        """Waits until the gate opens; gives `result`."""
        self._arrived.release()
        if not self._event.wait(LIMIT):
            message = "the gate was never opened"
            raise TimeoutError(message)
        return result

    def await_arrivals(self, count: int = 1) -> None:
        """Returns when `count` more callers have come to wait at the gate."""
        for _ in range(count):
            if not self._arrived.acquire(timeout=LIMIT):
                message = "nobody came to the gate"
                raise TimeoutError(message)


def occupy(executor: Executor, gate: Gate, count: int) -> list[Future[Any]]:
    """Makes `count` workers wait at the gate; returns when they do."""
    futures = [executor.submit(gate.wait) for _ in range(count)]
    gate.await_arrivals(count)
    return futures


def eventually(condition: Callable[[], Any], limit: float = LIMIT) -> bool:
    """Whether the condition comes true; for what no event announces."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def in_thread(function: Callable[..., Any], *args: Any) -> ThreadResult:
    """Calls the function in a new thread."""
    return ThreadResult(function, args)


class ThreadResult:
    """A call in a thread of its own, and what came of it."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._function, self._args = function, args
        self._value: Any = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function(*self._args)
        except BaseException as error:
            self._error = error

    def get(self) -> Any:
        """Waits for the end of the call; its result, or its exception."""
        self.thread.join(LIMIT)
        if self.thread.is_alive():
            message = f"{self._function} does not end"
            raise TimeoutError(message)
        if self._error is not None:
            raise self._error
        return self._value


def throw(error: BaseException) -> Any:
    """Raises the error: a task that fails."""
    raise error


def is_free(condition: threading.Condition) -> bool:
    """Whether another thread could take the condition's lock now."""

    def take_and_give_back() -> bool:
        taken = condition.acquire(False)
        if taken:
            condition.release()
        return taken

    free: bool = in_thread(take_and_give_back).get()
    return free
