"""An interrupt in the middle of a completion reaches its caller, and costs nobody a wake-up."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

INTERRUPTED_LOOP = """
import asyncio

class Loop(asyncio.SelectorEventLoop):
    \"\"\"A loop that is interrupted in a call of `call_soon`, counted from when it is armed.\"\"\"

    left = None

    def call_soon(self, *args, **options):
        if self.left is not None:
            self.left -= 1
        interrupt, self.left = self.left == 0, self.left or None
        if interrupt and BEFORE:
            signal.raise_signal(signal.SIGINT)
        handle = super().call_soon(*args, **options)
        if interrupt:
            signal.raise_signal(signal.SIGINT)
        return handle

async def value_of(future):
    return await future

signal.signal(signal.SIGINT, signal.default_int_handler)
count, call = int(sys.argv[1]), int(sys.argv[2])
BEFORE = sys.argv[3] == "before"
loop = Loop()
asyncio.set_event_loop(loop)
gate = threading.Event()
pool = ThreadPoolExecutor(1)
futures = [pool.submit(gate.wait) for _ in range(count)]
awaiting = [loop.create_task(value_of(future)) for future in futures]

def complete_all():
    gate.set()
    pool.submit(int).result()  # every completion is on its way into the loop
    loop.left = call

loop.call_soon(loop.call_soon, complete_all)  # after the awaiting tasks have begun to wait
try:
    loop.run_until_complete(asyncio.wait(awaiting, timeout=5))
    print("swallowed")
except KeyboardInterrupt:
    print("interrupted")
loop.left = None
done, lost = loop.run_until_complete(asyncio.wait(awaiting, timeout=2 if BEFORE else 20))
print(len(lost))
for task in lost:
    task.cancel()
loop.run_until_complete(asyncio.sleep(0))
loop.close()
"""


@pytest.mark.ours
@pytest.mark.parametrize("call", [1, 2, 10])
def test_an_interrupt_in_the_loop_is_raised_and_loses_no_awaiter(
    run_child: Callable[..., str], call: int
) -> None:
    output = run_child(INTERRUPTED_LOOP, "10", str(call), "after")
    assert output.split() == ["interrupted", "0"]


@pytest.mark.ours
@pytest.mark.parametrize("call", [1, 100, 255, 256, 257, 258, 300, 600])
def test_an_interrupt_among_very_many_completions_loses_no_awaiter(
    run_child: Callable[..., str], call: int
) -> None:
    output = run_child(INTERRUPTED_LOOP, "600", str(call), "after")
    assert output.split() == ["interrupted", "0"]


@pytest.mark.ours
@pytest.mark.parametrize("call", [1, 256, 257, 258])
def test_an_interrupt_loses_no_awaiter_but_the_interrupted_one(
    run_child: Callable[..., str], call: int
) -> None:
    """asyncio itself forgets whom it was about to wake when `call_soon` fails."""
    output = run_child(INTERRUPTED_LOOP, "600", str(call), "before")
    interrupted, lost = output.split()
    assert interrupted == "interrupted"
    assert int(lost) <= 1


class Interrupting:
    """A waiter of the standard protocol in whose turn the user presses Ctrl-C."""

    def add_result(self, _: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    add_exception = add_cancelled = add_result


ENDINGS: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.set_result(1),
    "exception": lambda future: future.set_exception(KeyError(1)),
    "cancellation": lambda future: (future.cancel(), future.set_running_or_notify_cancel()),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_an_interrupt_in_a_standard_waiter_is_raised(
    future_type: type[Future[Any]], monkeypatch: pytest.MonkeyPatch, end: Callable[[Any], Any]
) -> None:
    future = future_type()
    future._waiters.append(Interrupting())  # type: ignore[attr-defined]
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            end(future)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert future.done()


def test_an_interrupted_wait_for_a_condition_passes_its_wake_up_on(
    run_child: Callable[..., str],
) -> None:
    """The main thread waits first for the condition's lock, another second.

    The owner releases it and interrupts the main thread in one breath; whoever of the two is woken
    by the release, the other thread must get the lock in the end.
    """
    output = run_child("""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        future, owned = Future(), threading.Event()
        condition = future._condition

        def own():
            condition.acquire()
            owned.set()
            time.sleep(0.3)  # until both wait, which nothing tells
            sys.setswitchinterval(5)
            condition.release()
            signal.raise_signal(signal.SIGINT)
            sys.setswitchinterval(0.005)

        def complete():
            owned.wait()
            time.sleep(0.1)
            future.set_result(1)
            completed.set()

        completed = threading.Event()
        threads = [threading.Thread(target=own), threading.Thread(target=complete, daemon=True)]
        for thread in threads:
            thread.start()
        owned.wait()
        try:
            with condition:
                pass
            threads[0].join()
        except KeyboardInterrupt:
            try:
                condition.release()  # some Pythons are interrupted on the way into the block
            except RuntimeError:
                pass
        print(completed.wait(10))
    """)
    assert output.split() == ["True"]
