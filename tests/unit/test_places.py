"""A place in a bounded queue comes back, whatever becomes of the call that had it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT, Gate, eventually, in_thread, occupy
from treadle.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., treadle.ThreadPoolExecutor]
    Pool = treadle.ThreadPoolExecutor

pytestmark = pytest.mark.ours


def expire(pool: Pool) -> None:
    late = pool.options(deadline=0.001).submit(str)
    assert isinstance(late.exception(LIMIT), DeadlineExceeded)


def cancel(pool: Pool) -> None:
    assert pool.submit(str).cancel()


def cancel_ranked(pool: Pool) -> None:
    assert pool.options(priority=3).submit(str).cancel()


def ask(pool: Pool) -> None:
    assert pool.submit(str).request_cancel()


def cancel_with_its_view(pool: Pool) -> None:
    view = pool.options(name="short")
    view.submit(str)
    view.shutdown(wait=False, cancel_futures=True)


def finish(pool: Pool) -> None:
    pool.submit(str).set_result("by hand")


def fail(pool: Pool) -> None:
    pool.submit(str).set_exception(ValueError("by hand"))


def take_out(pool: Pool) -> None:
    pool.submit(str)
    pool._work_queue.get_nowait().run()


ENDS: list[Any] = [
    expire,
    cancel,
    cancel_ranked,
    ask,
    cancel_with_its_view,
    finish,
    fail,
    take_out,
]


@pytest.mark.parametrize("end", ENDS)
class TestACallThatEndsInTheQueue:
    def test_its_place_is_free(
        self, make_executor: MakePool, gate: Gate, end: Callable[[Pool], None]
    ) -> None:
        pool = make_executor(1, max_pending=2, when_full="raise")
        occupy(pool, gate, 1)
        for _ in range(3):
            end(pool)
        kept = [pool.submit(str, number) for number in range(2)]
        assert pool.try_submit(str) is None  # nor does any come back twice
        gate.open()
        assert [future.result(LIMIT) for future in kept] == ["0", "1"]

    def test_its_place_goes_to_who_waits(
        self, make_executor: MakePool, gate: Gate, end: Callable[[Pool], None]
    ) -> None:
        pool = make_executor(1, max_pending=1)
        occupy(pool, gate, 1)
        end(pool)
        assert in_thread(pool.submit, str, "next").get().cancel()

    def test_it_is_not_dropped_for_another(
        self, make_executor: MakePool, gate: Gate, end: Callable[[Pool], None]
    ) -> None:
        pool = make_executor(1, max_pending=1, when_full="drop_oldest")
        occupy(pool, gate, 1)
        end(pool)
        assert not pool.submit(str).done()
        assert pool.statistics().dropped == 0


def test_callbacks_of_a_late_call_find_room(make_executor: MakePool, gate: Gate) -> None:
    pool = make_executor(1, max_pending=1, when_full="raise")
    occupy(pool, gate, 1)
    found: list[Any] = []
    late = pool.options(deadline=0.05).submit(str)
    late.add_done_callback(lambda _: found.append(pool.try_submit(str)))
    assert eventually(lambda: found)
    assert found[0] is not None
