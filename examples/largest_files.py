"""Walk a directory, hash its files in threads, and keep the largest ones: largest_files.py DIR

A pipeline under asyncio: an async producer, blocking work on a pool, an async consumer.  At most 16
files are in flight; a consumer that takes its time slows the producer down.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import treadle


def digest(path: Path) -> tuple[int, str, Path]:
    """Reads and computes: work for a thread."""
    data = path.read_bytes()
    return len(data), hashlib.sha256(data).hexdigest(), path


async def files_below(
    pool: treadle.ThreadPoolExecutor, directory: Path
) -> AsyncGenerator[Path, None]:
    """The walk itself blocks, too: a worker does it, some folders ahead of us."""
    async for folder, _, names in pool.iterate(os.walk, directory):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


async def main(directory: Path) -> None:
    largest: list[tuple[int, str, Path]] = []
    async with treadle.ThreadPoolExecutor(max_workers=4) as pool:
        files = files_below(pool, directory)
        async for result in pool.stream(digest, files, concurrency=16, ordered=False):
            (heapq.heappush if len(largest) < 5 else heapq.heappushpop)(largest, result)
    for size, checksum, path in sorted(largest, reverse=True):
        print(f"{size:10,}  {checksum[:16]}  {path}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: largest_files.py DIR")
    asyncio.run(main(Path(sys.argv[1])))
