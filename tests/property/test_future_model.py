"""A native Future and a standard one, driven side by side, are never told apart.

Whatever sequence of operations is tried, both give the same results, raise the same exceptions
with the same texts, log the same records, call the same callbacks and look the same.
"""

from __future__ import annotations

import concurrent.futures
import logging
import re
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import treadle
from support.logs import LogRecorder
from support.outcomes import outcome, without_addresses

VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.builds(list))
ERRORS = st.sampled_from([ValueError, KeyError, OSError, KeyboardInterrupt, StopIteration])
METHODS = ["done", "running", "cancelled", "cancel", "set_running_or_notify_cancel"]


class Waiter:
    """Notes what it is told, as the waiters of `concurrent.futures.wait` do."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def add_result(self, future: Any) -> None:
        self.notes.append(f"result {future._state}")

    def add_exception(self, future: Any) -> None:
        self.notes.append(f"exception {future._state}")

    def add_cancelled(self, future: Any) -> None:
        self.notes.append(f"cancelled {future._state}")


class Twin:
    """One of the two futures, with what happened around it."""

    def __init__(self, future: Any) -> None:
        self.future = future
        self.notes: list[str] = []
        self.waiters: list[Waiter] = []

    def callback(self, number: int, fails: bool) -> Any:
        def call(future: Any) -> None:
            same = future is self.future
            self.notes.append(f"callback {number} {same} {future._state}")
            if fails:
                message = f"callback {number}"
                raise ValueError(message)

        return call

    def attributes(self) -> tuple[Any, ...]:
        future = self.future
        return (
            future._state,
            future._result,
            type(future._exception),
            len(future._waiters),
            without_addresses(repr(future)),
        )


class FutureMachine(RuleBasedStateMachine):
    """Does the same to both futures, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.getLogger("concurrent.futures")
        self.handlers = self.logger.handlers[:]
        self.log = LogRecorder()
        self.logger.handlers[:] = [self.log]
        self.ours = Twin(treadle.Future())
        self.standard = Twin(concurrent.futures.Future())
        self.callbacks = 0

    def teardown(self) -> None:
        self.logger.handlers[:] = self.handlers

    def both(self, operation: Any) -> None:
        """Does the operation to each twin and compares what came of it."""
        seen = []
        for twin in (self.ours, self.standard):
            came = outcome(operation, twin)
            identity = str(id(twin.future))
            logged = [
                (record.levelname, without_addresses(text.replace(identity, "id")))
                for record in self.log.take()
                for text in [record.getMessage()]
            ]
            seen.append((came, logged))
        assert seen[0] == seen[1]

    @rule(method=st.sampled_from(METHODS))
    def call(self, method: str) -> None:
        self.both(lambda twin: getattr(twin.future, method)())

    @rule(value=VALUES)
    def set_result(self, value: Any) -> None:
        self.both(lambda twin: twin.future.set_result(value))

    @rule(error=ERRORS, text=st.text(max_size=3))
    def set_exception(self, error: type[BaseException], text: str) -> None:
        self.both(lambda twin: twin.future.set_exception(error(text)))

    @rule()
    def set_no_exception(self) -> None:
        self.both(lambda twin: twin.future.set_exception(None))

    @rule(timeout=st.sampled_from([0, -1, 0.0]))
    def read_result(self, timeout: float) -> None:
        self.both(lambda twin: twin.future.result(timeout))

    @rule(timeout=st.sampled_from([0, -1, 0.0]))
    def read_exception(self, timeout: float) -> None:
        self.both(lambda twin: repr(twin.future.exception(timeout)))

    @rule(fails=st.booleans())
    def add_callback(self, fails: bool) -> None:
        self.callbacks += 1
        number = self.callbacks
        self.both(lambda twin: twin.future.add_done_callback(twin.callback(number, fails)))

    @rule()
    def add_waiter(self) -> None:
        def add(twin: Twin) -> None:
            with twin.future._condition:
                twin.waiters.append(Waiter(twin.notes))
                twin.future._waiters.append(twin.waiters[-1])

        self.both(add)

    @rule()
    def remove_waiter(self) -> None:
        def remove(twin: Twin) -> None:
            with twin.future._condition:
                if twin.waiters:
                    twin.future._waiters.remove(twin.waiters.pop())

        self.both(remove)

    def waits_agree(self) -> bool:
        """Whether both libraries' waits mean the same.

        A future that is cancelled, but that nobody was told of, is done for treadle's waits and
        not for the standard library's.
        """
        return self.standard.future._state != "CANCELLED"

    @rule(when=st.sampled_from(["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]))
    def wait(self, when: str) -> None:
        for module in (treadle, concurrent.futures) if self.waits_agree() else ():
            self.both(lambda twin, wait=module.wait: [len(s) for s in wait([twin.future], 0, when)])

    @rule()
    def read_completed(self) -> None:
        for module in (treadle, concurrent.futures) if self.waits_agree() else ():
            self.both(
                lambda twin, read=module.as_completed: [
                    future is twin.future for future in read([twin.future], 0)
                ]
            )

    @rule(state=st.sampled_from(["PENDING", "RUNNING", "FINISHED", "CANCELLED"]))
    def write_state(self, state: str) -> None:
        if self.standard.future.done():
            return  # the dead stay dead: ours has let go of their callbacks

        def write(twin: Twin) -> None:
            with twin.future._condition:
                twin.future._state = state
                twin.future._condition.notify_all()

        self.both(write)

    @rule(value=VALUES)
    def write_result(self, value: Any) -> None:
        self.both(lambda twin: setattr(twin.future, "_result", value))

    @rule(error=st.one_of(st.none(), ERRORS))
    def write_exception(self, error: type[BaseException] | None) -> None:
        self.both(lambda twin: setattr(twin.future, "_exception", error and error("written")))

    @invariant()
    def look_the_same(self) -> None:
        assert self.ours.attributes() == self.standard.attributes()
        assert self.ours.notes == self.standard.notes
        assert re.match("<Future at 0x", repr(self.ours.future))


TestFutureModel = FutureMachine.TestCase
TestFutureModel.settings = settings(
    max_examples=200, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
