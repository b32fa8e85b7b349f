"""A place in a bounded queue comes back, whatever becomes of the call that had it."""

from __future__ import annotations

import asyncio
import threading
import time
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


def test_a_place_for_a_call_that_cannot_be_made_comes_back(make_executor: MakePool) -> None:
    async def asynchronous() -> None: ...

    pool = make_executor(1, max_pending=1)
    for _ in range(3):
        place, ready = pool._ask_for_place()
        assert (place is not None, ready) == (True, None)
        assert place.is_kept()
        with pytest.raises(TypeError, match="asynchronous"):
            place.submit(asynchronous)
        assert not place.is_kept()
        with pytest.raises(RuntimeError, match="used already"):
            place.submit(str)
        place.leave()
    assert pool.submit(str, "next").result(LIMIT) == "next"


def test_a_place_that_nobody_has_any_more_comes_back(make_executor: MakePool, gate: Gate) -> None:
    pool = make_executor(1, max_pending=1)
    place, _ = pool._ask_for_place()
    assert pool.try_submit(str) is None
    del place
    occupy(pool, gate, 1)
    queued = pool.submit(str)
    place, ready = pool._ask_for_place()
    assert ready is not None
    assert queued.cancel()  # whose place belongs to the one that waits now
    assert ready.result(LIMIT) is True
    assert pool.try_submit(str) is None
    del place
    assert pool.try_submit(str) is not None


def test_a_signal_handler_keeps_nobody_from_the_next_place(run_child: Callable[..., str]) -> None:
    """The thread that it has interrupted has been given one, and cannot use it meanwhile."""
    output = run_child("""
        first, second, begun = threading.Event(), threading.Event(), threading.Event()
        pool = ThreadPoolExecutor(1, max_pending=2)
        pool.submit(lambda: (begun.set(), first.wait()))
        begun.wait()
        pool.submit(second.wait)
        pool.submit(int)
        got_in = threading.Event()

        def behind():
            time.sleep(0.1)
            threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
            pool.submit(int)
            got_in.set()

        def handler(*_):
            first.set()
            while pool._queue_size() != 1:
                time.sleep(0.001)
            second.set()
            print(got_in.wait(10))

        signal.signal(signal.SIGINT, handler)
        threading.Thread(target=behind).start()
        pool.submit(int)
        pool.shutdown()
    """)
    assert output.split() == ["True"]


def test_a_loop_that_is_busy_keeps_its_place_and_no_other(
    make_executor: MakePool, gate: Gate
) -> None:
    pool = make_executor(1, max_pending=4)
    occupy(pool, gate, 1)
    for number in range(4):
        pool.submit(str, number)
    waits, goes_on = Gate(), Gate()

    async def main() -> str:
        task = asyncio.ensure_future(pool.submit_async(str, "task"))
        await asyncio.sleep(0.01)
        waits.open()
        goes_on.wait()  # the loop is blocked
        return await (await task)

    before = in_thread(pool.submit, str, "before")
    time.sleep(0.01)
    loop = in_thread(asyncio.run, main())
    waits.wait()
    behind = in_thread(pool.submit, str, "behind")
    time.sleep(0.01)
    gate.open()
    # Three places are free, and the loop has the fourth.
    assert [one.get().result(LIMIT) for one in (before, behind)] == ["before", "behind"]
    goes_on.open()
    assert loop.get() == "task"


@pytest.mark.parametrize("library_of_loop", ["asyncio", "uvloop"])
class TestASubmitThatBlocksALoop:
    """The loop's tasks cannot use the places that they are given: they come second."""

    def run(self, main: Callable[[], Any], library_of_loop: str) -> Any:
        """Runs it in a thread that may hang."""
        module = pytest.importorskip(library_of_loop)

        def in_loop() -> Any:
            loop = module.new_event_loop()
            try:
                return loop.run_until_complete(main())
            finally:
                loop.close()

        return in_thread(in_loop).get()

    @pytest.mark.parametrize("policy", ["block", "drop_oldest"])
    def test_a_place_that_a_task_has_is_used(
        self, make_executor: MakePool, gate: Gate, library_of_loop: str, policy: str
    ) -> None:
        pool = make_executor(1, max_pending=1, when_full=policy)

        async def main() -> list[str]:
            occupy(pool, gate, 1)
            pool.submit(str, "queued")
            tasks = [asyncio.ensure_future(pool.submit_async(str, n)) for n in range(3)]
            await asyncio.sleep(0.01)
            gate.open()
            # The worker has taken what was queued, and its place belongs to the first task now.
            assert eventually(lambda: pool.statistics().pending == 0)
            now = pool.submit(str, "now")
            results = [await (await task) for task in tasks]
            return [*results, await now]

        assert self.run(main, library_of_loop) == ["0", "1", "2", "now"]

    def test_a_place_that_a_task_would_get_is_not_given_to_it(
        self, make_executor: MakePool, gate: Gate, library_of_loop: str
    ) -> None:
        pool = make_executor(1, max_pending=1)

        async def main() -> list[str]:
            occupy(pool, gate, 1)
            pool.submit(str, "queued")
            tasks = [asyncio.ensure_future(pool.submit_async(str, n)) for n in range(3)]
            await asyncio.sleep(0.01)
            threading.Timer(0.05, gate.open).start()
            now = pool.submit(str, "now")
            results = [await (await task) for task in tasks]
            return [*results, await now]

        assert self.run(main, library_of_loop) == ["0", "1", "2", "now"]

    def test_a_task_that_is_cancelled_then_queues_nothing(
        self, make_executor: MakePool, gate: Gate, library_of_loop: str
    ) -> None:
        pool = make_executor(1, max_pending=1)

        async def main() -> None:
            occupy(pool, gate, 1)
            pool.submit(str, "queued")
            tasks = [asyncio.ensure_future(pool.submit_async(str, n)) for n in range(3)]
            await asyncio.sleep(0.01)
            gate.open()
            assert eventually(lambda: pool.statistics().pending == 0)
            now = pool.submit(str, "now")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await now == "now"

        self.run(main, library_of_loop)
        assert pool.statistics().submitted == 3
        assert pool.try_submit(str) is not None  # no place is lost

    def test_another_pool_is_another_matter(
        self, make_executor: MakePool, gate: Gate, library_of_loop: str
    ) -> None:
        pool, other = (make_executor(1, max_pending=1) for _ in range(2))

        async def main() -> list[str]:
            occupy(pool, gate, 1)
            pool.submit(str, "queued")
            task = asyncio.ensure_future(pool.submit_async(str, "task"))
            await asyncio.sleep(0.01)
            gate.open()
            assert eventually(lambda: pool.statistics().pending == 0)
            there = [other.submit(str, n) for n in range(20)]
            assert not task.done()
            return [await (await task), *[await future for future in there]]

        assert self.run(main, library_of_loop) == ["task", *map(str, range(20))]
