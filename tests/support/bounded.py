"""Pools whose queue is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import treadle
from support.waiting import Gate, occupy

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., treadle.ThreadPoolExecutor]


def full_pool(
    make_executor: MakePool, gate: Gate, bound: int, policy: str, count: int = 1
) -> tuple[treadle.ThreadPoolExecutor, list[treadle.Future[Any]]]:
    """A pool whose workers wait at the gate and whose queue is full; and what is queued."""
    pool = make_executor(count, max_pending=bound, when_full=policy)
    occupy(pool, gate, count)
    return pool, [pool.submit(str, number) for number in range(bound)]
