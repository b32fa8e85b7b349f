"""Any sequence of operations on priorities, against a plain list that is kept sorted."""

from __future__ import annotations

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

from treadle.errors import DeadlineExceeded
from treadle.testing import ManualExecutor

pytestmark = pytest.mark.ours

PRIORITIES = st.one_of(st.integers(-2, 2), st.integers(-(2**63), 2**63 - 1))
PERIOD = 8.0


class Entry:
    """A task in the model."""

    def __init__(self, number: int, priority: int, deadline: float | None) -> None:
        self.number = number
        self.priority = priority
        self.deadline = deadline
        self.level = priority
        self.future: Any = None

    def key(self) -> tuple[int, float]:
        return self.level, float("inf") if self.deadline is None else self.deadline


class PriorityMachine(RuleBasedStateMachine):
    """One executor without threads, and what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[int] = []
        self.expected: list[int] = []
        self.waiting: list[Entry] = []
        self.ended: list[Entry] = []
        self.count = 0
        self.down = False

    @initialize(aging=st.booleans())
    def open(self, aging: bool) -> None:
        self.aging = aging
        self.pool = ManualExecutor(aging=PERIOD if aging else None)

    def put(self, entry: Entry) -> None:
        """Behind the last that is not behind it."""
        if self.aging:
            # The clock begins an hour before the test.
            entry.level = min(entry.priority + int((3600 + self.pool.now) // PERIOD), 2**63 - 1)
        place = sum(other.key() <= entry.key() for other in self.waiting)
        self.waiting.insert(place, entry)

    @precondition(lambda self: not self.down)
    @rule(
        priority=st.none() | PRIORITIES,
        deadline=st.none() | st.integers(1, 20),
        by_view=st.booleans(),
    )
    def submit(self, priority: int | None, deadline: int | None, by_view: bool) -> None:
        entry = Entry(
            self.count, priority or 0, None if deadline is None else self.pool.now + deadline
        )
        self.count += 1
        executor: Any = self.pool
        if deadline is not None:
            executor = executor.options(deadline=deadline)
        arguments: tuple[Any, ...] = (self.ran.append, entry.number)
        if by_view:
            executor = executor.options(priority=priority)
        elif priority is not None:
            arguments = (priority, *arguments)
        entry.future = executor.submit(*arguments)
        self.put(entry)

    @rule()
    def run_one(self) -> None:
        assert self.pool.run_one() == bool(self.waiting)
        if self.waiting:
            entry = self.waiting.pop(0)
            self.expected.append(entry.number)
            assert entry.future.result(0) is None

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        assert entry.future.cancel()
        self.waiting.remove(entry)
        self.ended.append(entry)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), priority=PRIORITIES)
    def reprioritize(self, data: Any, priority: int) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        assert self.pool.reprioritize(entry.future, priority)
        self.waiting.remove(entry)
        entry.priority = entry.level = priority
        self.put(entry)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), priority=PRIORITIES)
    def reprioritize_what_is_over(self, data: Any, priority: int) -> None:
        entry = data.draw(st.sampled_from(self.ended))
        assert not self.pool.reprioritize(entry.future, priority)

    @rule(seconds=st.integers(0, 10))
    def advance(self, seconds: int) -> None:
        self.pool.advance(seconds)
        for entry in list(self.waiting):
            if entry.deadline is not None and entry.deadline <= self.pool.now:
                assert isinstance(entry.future.exception(0), DeadlineExceeded)
                self.waiting.remove(entry)
                self.ended.append(entry)

    @precondition(lambda self: self.waiting)
    @rule(cancel_futures=st.booleans())
    def shut_down(self, cancel_futures: bool) -> None:
        self.pool.shutdown(wait=False, cancel_futures=cancel_futures)
        self.down = True
        if cancel_futures:
            assert all(entry.future.cancelled() for entry in self.waiting)
            self.ended += self.waiting
            self.waiting = []

    @invariant()
    def the_order_is_exact(self) -> None:
        assert self.ran == self.expected

    @invariant()
    def as_many_wait_as_should(self) -> None:
        if hasattr(self, "pool"):
            assert self.pool.pending == len(self.waiting)
            assert not any(entry.future.done() for entry in self.waiting)

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.pool.run_all()
            assert self.ran == self.expected + [entry.number for entry in self.waiting]


def test_the_queue_is_a_sorted_list() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        PriorityMachine, settings=settings(max_examples=150, stateful_step_count=50, deadline=None)
    )
