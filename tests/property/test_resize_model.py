"""Whatever is submitted, cancelled and resized in whatever order: sizes hold, and everything ends.

After each step the pool comes to rest: as many calls run as the model's workers have taken, and
each of these waits at its gate.  A call that runs when the pool shrinks stays until its end, so
that for a while more may run than the new size allows; but none begins meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import treadle
from support.waiting import LIMIT, Gate, eventually

MOST = 5
SHORT = 0.001


class Call:
    """A call that waits at its gate, in the model and in the pool."""

    def __init__(self, pool: treadle.ThreadPoolExecutor, number: int) -> None:
        self.number = number
        self.gate = Gate()
        self.begun = False
        self.future = pool.submit(self)

    def __call__(self) -> int:
        self.begun = True
        self.gate.wait()
        return self.number


class ResizedPool(RuleBasedStateMachine):
    """The model: a queue, the calls that run, and a size."""

    keep_alive: float | None
    min_workers: int

    def __init__(self) -> None:
        super().__init__()
        self.size = MOST - 2
        self.pool = treadle.ThreadPoolExecutor(
            self.size, keep_alive=self.keep_alive, min_workers=self.min_workers
        )
        self.calls: list[Call] = []
        self.queue: deque[Call] = deque()
        self.running: list[Call] = []
        self.down = False

    def teardown(self) -> None:
        for call in self.calls:
            call.gate.open()
        self.pool.shutdown()
        assert all(call.future.done() for call in self.calls)
        assert all(call.begun is not call.future.cancelled() for call in self.calls)
        assert self.pool._thread_count() == 0

    def advance(self) -> None:
        while self.queue and len(self.running) < self.size:
            self.running.append(self.queue.popleft())

    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        if self.down:
            with pytest.raises(RuntimeError):
                self.pool.submit(int)
            return
        for _ in range(count):
            call = Call(self.pool, len(self.calls))
            self.calls.append(call)
            self.queue.append(call)
        self.advance()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: Any) -> None:
        call = data.draw(st.sampled_from(self.running), label="running call")
        self.running.remove(call)
        call.gate.open()
        assert call.future.result(LIMIT) == call.number
        self.advance()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        call = data.draw(st.sampled_from(list(self.queue)), label="queued call")
        self.queue.remove(call)
        assert call.future.cancel()

    @rule(size=st.integers(1, MOST))
    def resize(self, size: int) -> None:
        if self.down:
            with pytest.raises(RuntimeError):
                self.pool.resize(size)
            return
        self.pool.resize(size)
        self.size = size
        self.advance()

    @rule(cancel_futures=st.booleans())
    def shut_down(self, cancel_futures: bool) -> None:
        self.pool.shutdown(wait=False, cancel_futures=cancel_futures)
        self.down = True
        if cancel_futures:
            assert all(call.future.cancelled() for call in self.queue)
            self.queue.clear()

    @invariant()
    def those_run_that_should(self) -> None:
        assert self.pool._max_workers == self.size
        assert eventually(lambda: all(call.begun for call in self.running))
        assert not any(call.begun for call in self.queue)

    @invariant()
    def the_pool_has_no_thread_too_many(self) -> None:
        most = max(self.size, len(self.running))
        assert eventually(lambda: self.pool._thread_count() <= most)
        if self.down:
            return
        assert eventually(lambda: len(self.pool._threads) <= most)
        if self.keep_alive is not None:
            least = max(self.min_workers, len(self.running))
            assert eventually(lambda: self.pool._thread_count() <= least)


@pytest.mark.parametrize(
    ("keep_alive", "least"),
    [(None, 0), (SHORT, 0), (SHORT, 2)],
    ids=["all-stay", "all-leave", "two-stay"],
)
def test_a_pool_of_changing_size_follows_the_model(keep_alive: float | None, least: int) -> None:
    machine = type("Machine", (ResizedPool,), {"keep_alive": keep_alive, "min_workers": least})
    examples = settings(
        max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, database=None
    )
    run_state_machine_as_test(machine, settings=examples)
