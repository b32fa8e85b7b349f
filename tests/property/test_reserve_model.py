"""Reserved workers under any sequence of submits, ends, and views that come and go.

Every task waits until the model lets it end, so what runs changes only by what the model does.
Then, after each step: whoever waits has a reason to, and nobody runs who has none.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import treadle
from support.waiting import LIMIT, eventually


class Held:
    """A task that ends when it is told to."""

    def __init__(self, executor: Any) -> None:
        self.over = threading.Event()
        self.future: treadle.Future[bool] = executor.submit(self.over.wait, LIMIT)


class Reserves(RuleBasedStateMachine):
    """Class 0 is the pool itself, the others are views on it."""

    @initialize(workers=st.integers(2, 5), ranked=st.booleans())
    def start(self, workers: int, ranked: bool) -> None:
        kind = treadle.PriorityExecutor if ranked else treadle.ThreadPoolExecutor
        self.workers = workers
        self.pool: Any = kind(workers)
        self.executors: list[Any] = [self.pool]
        self.kept = [0]
        self.tasks: list[list[Held]] = [[]]
        self.ran: set[Held] = set()

    @rule(data=st.data(), count=st.integers(1, 4))
    def submit(self, data: st.DataObject, count: int) -> None:
        number = data.draw(st.integers(0, len(self.executors) - 1))
        if self.executors[number] is not None:
            self.tasks[number] += [Held(self.executors[number]) for _ in range(count)]

    @precondition(lambda self: any(task.future.running() for task in self.all_tasks()))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        running = [task for task in self.all_tasks() if task.future.running()]
        task = data.draw(st.sampled_from(running))
        task.over.set()
        assert task.future.result(LIMIT)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        for task in self.all_tasks()[-3:]:
            if data.draw(st.booleans()):
                task.future.cancel()

    @precondition(lambda self: sum(self.kept) + 1 < self.workers)
    @rule(data=st.data())
    def reserve(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.workers - sum(self.kept) - 1))
        self.executors.append(self.pool.options(reserve=count))
        self.kept.append(count)
        self.tasks.append([])

    @precondition(lambda self: sum(self.kept) + 1 == self.workers)
    @rule(more=st.integers(1, 3))
    def reserve_too_many(self, more: int) -> None:
        with pytest.raises(ValueError, match="reserve must leave a worker"):
            self.pool.options(reserve=more)

    @precondition(lambda self: sum(self.kept) > 0)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([k for k, kept in enumerate(self.kept) if kept]))
        self.executors[number].shutdown(wait=False)
        self.executors[number], self.kept[number] = None, 0

    @invariant()
    def nobody_waits_without_reason(self) -> None:
        if not hasattr(self, "pool"):
            return
        assert eventually(self.all_run_who_may), self.counts()
        running, _ = self.counts()
        assert sum(running) <= self.workers
        for number, tasks in enumerate(self.tasks):
            began = [task for task in tasks if task.future.running() and task not in self.ran]
            if began and running[number] > self.kept[number]:
                assert self.shared(running) <= self.workers - sum(self.kept)
            self.ran.update(began)

    def all_run_who_may(self) -> bool:
        running, waiting = self.counts()
        if sum(running) == self.workers:
            return True
        full = self.shared(running) >= self.workers - sum(self.kept)
        return all(
            not waits or (full and runs >= kept)
            for waits, runs, kept in zip(waiting, running, self.kept, strict=True)
        )

    def shared(self, running: list[int]) -> int:
        """How many run where none is kept for them."""
        return sum(running) - sum(map(min, running, self.kept))

    def counts(self) -> tuple[list[int], list[int]]:
        running = [sum(task.future.running() for task in tasks) for tasks in self.tasks]
        waiting = [
            sum(not task.future.running() and not task.future.done() for task in tasks)
            for tasks in self.tasks
        ]
        return running, waiting

    def all_tasks(self) -> list[Held]:
        return [task for tasks in self.tasks for task in tasks]

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            for task in self.all_tasks():
                task.over.set()
            self.pool.shutdown()
            assert all(task.future.done() for task in self.all_tasks())


@pytest.mark.ours
def test_reserves() -> None:
    run_state_machine_as_test(
        Reserves, settings=settings(max_examples=80, stateful_step_count=40, deadline=None)
    )
