"""The callables that tasks run: the same ones for every contestant."""

from __future__ import annotations


def nothing(value: int) -> int:
    """The smallest useful task: what it costs is the pool's own cost."""
    return value


def count_up() -> int:
    """About 60 us of pure Python, which never leaves the GIL."""
    total = 0
    for number in range(2000):
        total += number
    return total
