"""Sources and generators for tests of streams: they tell what was taken and whether they closed."""

from __future__ import annotations

import threading
from typing import Any


class Source:
    """An iterator that counts what was taken from it, and knows whether it was closed."""

    def __init__(self, items: Any) -> None:
        self._items = iter(items)
        self.taken = 0
        self.closed = 0
        self.threads: set[int] = set()

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Any:
        self.threads.add(threading.get_ident())
        item = next(self._items)
        self.taken += 1
        return item

    def close(self) -> None:
        self.closed += 1


class AsyncSource:
    """The same as an async iterator."""

    def __init__(self, items: Any) -> None:
        self._items = iter(items)
        self.taken = 0
        self.closed = 0

    def __aiter__(self) -> AsyncSource:
        return self

    async def __anext__(self) -> Any:
        for item in self._items:
            self.taken += 1
            return item
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1
