"""Compress files block by block; slow workers hold the fast reader back: backpressure.py FILE..."""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from treadle import Future, ThreadPoolExecutor

MAX_PENDING = 32


class Level:
    """How many blocks are in memory: read, and not compressed yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.blocks = 0

    def change(self, by: int) -> int:
        with self._lock:
            self.blocks += by
            return self.blocks


def blocks_of(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 16):
                yield block


def main(paths: list[Path]) -> None:
    level = Level()
    seen: list[int] = []  # by the reader, each time that it has read a block

    def compress(block: bytes) -> int:  # much slower than reading
        size = len(zlib.compress(block, 9))
        level.change(-1)
        return size

    with ThreadPoolExecutor(2, max_pending=MAX_PENDING) as pool:
        futures: list[Future[int]] = []
        for block in blocks_of(paths):
            seen.append(level.change(+1))
            futures.append(pool.submit(compress, block))  # waits while 32 blocks are pending
        total = sum(future.result() for future in futures)
    print(f"{len(futures)} blocks, {total:,} bytes compressed")
    low = min(seen[MAX_PENDING:], default=0)
    print(f"blocks in memory: at most {max(seen, default=0)}, then never below {low}")
    print(f"the most: {MAX_PENDING} pending, 2 compressed, 1 read")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: backpressure.py FILE...")
    main([Path(argument) for argument in sys.argv[1:]])
