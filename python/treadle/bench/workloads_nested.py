"""Fork and join: tasks that wait for tasks of their own pool."""

from __future__ import annotations

from typing import Final

from treadle.bench import rivals
from treadle.bench.rivals import Pool
from treadle.bench.workload import STDLIB, TREADLE, Lab, Rounds, workload

FAN: Final = 8
DEPTH: Final = 3
INNER: Final = sum(FAN**level for level in range(DEPTH))
"""Nodes that wait for their children."""
ENOUGH: Final = INNER + 1
"""The fewest workers with which the standard pool cannot deadlock: one is left for a leaf."""
NODES: Final = INNER + FAN**DEPTH


def count_leaves(pool: Pool, depth: int) -> int:
    """A node: it submits its children to its own pool and waits for all of them."""
    if depth == 0:
        return 1
    children = [pool.submit(count_leaves, pool, depth - 1) for _ in range(FAN)]
    return sum(child.result() for child in children)


@workload("nested fork-join, {tasks} tasks", workers=2, tasks=NODES)
def nested_fork_join(lab: Lab) -> Rounds:
    """What does a task cost in a tree where every task waits for its children?

    The standard pool deadlocks when all of its workers wait, so it gets one worker for every node
    that waits and one more; ours runs on a few: a worker that waits runs other tasks meanwhile.
    """

    def tree(pool: Pool) -> None:
        leaves = pool.submit(count_leaves, pool, DEPTH).result()
        assert leaves == FAN**DEPTH

    few = rivals.treadle_pool(lab)
    many = rivals.treadle_pool(lab, ENOUGH)
    stdlib = rivals.stdlib_pool(lab, ENOUGH)
    return {
        TREADLE: lab.timed(lambda: tree(few)),
        STDLIB: lab.timed(lambda: tree(stdlib)),
        f"treadle, {ENOUGH} workers": lab.timed(lambda: tree(many)),
    }
