"""A bounded pool driven by random operations behaves as the model of a pool, with a bound, says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from property.test_pool_model import REFUSED, PoolMachine, Task
from support.libraries import TREADLE
from support.outcomes import outcome
from treadle.errors import QueueFull

pytestmark = pytest.mark.ours


class BoundedMachine(PoolMachine):
    """The model: those that wait in the queue and were not cancelled are at most `bound`."""

    bound: int
    policy: str

    def __init__(self) -> None:
        super().__init__()
        self.pool.shutdown()
        self.pool = TREADLE.executor_type(
            self.workers,
            max_pending=self.bound,  # type: ignore[call-arg]
            when_full=self.policy,
        )

    def live(self) -> list[Task]:
        return [task for task in self.queue if task.state == "PENDING"]

    def accept(self, task: Task, future: Any) -> None:
        task.future = future
        future.add_done_callback(task.calls.append)
        self.tasks.append(task)

    @rule(kind=st.sampled_from(["returns", "fails", "blocks", "blocks", "blocks"]))
    def submit(self, kind: str) -> None:
        task = Task(len(self.tasks), kind)
        if self.down:
            assert outcome(self.pool.submit, task) == REFUSED
            self.refused += 1
            return
        if len(self.live()) < self.bound:
            self.queue.append(task)
        elif self.policy == "raise":
            with pytest.raises(QueueFull, match=f"{self.bound} calls wait"):
                self.pool.submit(task)
            self.refused += 1
            return
        elif self.policy == "drop_oldest":
            self.live()[0].state = "CANCELLED_AND_NOTIFIED"
            self.queue.append(task)
        elif self.policy == "run" and kind != "blocks":
            task.state = "FINISHED"
        else:
            return  # it would block
        self.accept(task, self.pool.submit(task))
        self.advance()

    @rule(kind=st.sampled_from(["returns", "blocks"]))
    def try_submit(self, kind: str) -> None:
        task = Task(len(self.tasks), kind)
        pool: Any = self.pool
        if self.down:
            assert outcome(pool.try_submit, task) == REFUSED
            self.refused += 1
        elif len(self.live()) == self.bound:
            assert pool.try_submit(task) is None
        else:
            self.accept(task, pool.try_submit(task))
            self.queue.append(task)
            self.advance()

    @rule(size=st.integers(0, 3))
    def map_numbers(self, size: int) -> None:
        """It submits as there is room, and is refused the first."""
        before = self.refused
        super().map_numbers(size)
        self.refused = min(self.refused, before + 1)

    @rule(count=st.integers(0, 4))
    def submit_many(self, count: int) -> None:
        tasks = [Task(len(self.tasks) + number, "blocks") for number in range(count)]
        pool: Any = self.pool
        if self.down or len(self.live()) + count > self.bound:
            if count and (self.down or self.policy == "raise"):
                with pytest.raises(RuntimeError):
                    pool.submit_many(Task.__call__, tasks)
                self.refused += count
            return
        for task, future in zip(tasks, pool.submit_many(Task.__call__, tasks), strict=True):
            self.accept(task, future)
        self.queue.extend(tasks)
        self.advance()


@pytest.mark.parametrize("policy", ["block", "raise", "run", "drop_oldest"])
@pytest.mark.parametrize(("count", "bound"), [(1, 1), (1, 3), (2, 2)])
def test_a_bounded_pool_follows_the_model(policy: str, count: int, bound: int) -> None:
    attributes = {"library": TREADLE, "workers": count, "policy": policy, "bound": bound}
    machine = type("Machine", (BoundedMachine,), attributes)
    examples = settings(
        max_examples=30, stateful_step_count=25, deadline=None, derandomize=True, database=None
    )
    run_state_machine_as_test(machine, settings=examples)
