"""`map` in its variants: what an item costs when the function does nothing."""

from __future__ import annotations

from concurrent.futures import as_completed
from functools import partial

from treadle.bench import rivals
from treadle.bench.callables import nothing
from treadle.bench.rivals import Pool
from treadle.bench.workload import STDLIB, TREADLE, Lab, Rounds, workload


def mapped(pool: Pool, items: range) -> None:
    """`map`, with every result read."""
    list(pool.map(nothing, items))


@workload("map", workers=2, tasks=20_000, quick_tasks=4000)
def map_ordered(lab: Lab) -> Rounds:
    """What does an item of `map` cost, results in order?

    `ThreadPool.map` is at its best here: it cuts the items in 16 pieces, each `list(map(...))`.
    `Executor.map` of the standard library takes `chunksize` too, and ignores it for threads.
    """
    items = range(lab.tasks)
    pools = rivals.both_pools(lab)
    rounds = {name: lab.timed(partial(mapped, pool, items)) for name, pool in pools.items()}
    pool = rivals.thread_pool(lab)
    rounds[rivals.PLAIN_LOOP] = lab.timed(lambda: list(map(nothing, items)))
    rounds["ThreadPool.map"] = lab.timed(lambda: pool.map(nothing, items))
    rounds["ThreadPool.imap_unordered"] = lab.timed(
        lambda: list(pool.imap_unordered(nothing, items))
    )
    fast = rivals.fast_thread_pool(lab)
    if fast is not None:

        def fast_map() -> None:
            fast.map(nothing, items, True, False, False)
            fast.take_results(len(items))

        rounds[rivals.FAST_THREAD_POOL] = lab.timed(fast_map)
    return rounds


@workload("map_unordered", workers=2, tasks=10_000, quick_tasks=3000)
def map_unordered(lab: Lab) -> Rounds:
    """What does an item cost when results may come in the order of completion?

    The standard pool has no such method: `as_completed` over a list of futures is its idiom.
    """
    items = range(lab.tasks)
    ours = rivals.treadle_pool(lab)
    stdlib = rivals.stdlib_pool(lab)
    pool = rivals.thread_pool(lab)

    def completing() -> list[int]:
        futures = [stdlib.submit(nothing, item) for item in items]
        return [future.result() for future in as_completed(futures)]

    return {
        TREADLE: lab.timed(lambda: list(ours.map_unordered(nothing, items))),
        STDLIB: lab.timed(completing),
        "ThreadPool.imap_unordered": lab.timed(lambda: list(pool.imap_unordered(nothing, items))),
    }
