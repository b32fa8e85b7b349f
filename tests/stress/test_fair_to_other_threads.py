"""A worker that never runs out of tasks lets other threads have the interpreter."""

from __future__ import annotations

import operator
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.worker_counts(1, 2)


class Chain:
    """Tasks that submit their successors until somebody ends it."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._over = False
        self.ended = threading.Event()

    def __call__(self) -> None:
        """Runs one link."""
        if self._over:
            self.ended.set()
        else:
            self._pool.submit(self)

    def end(self) -> None:
        """Lets the last link be run."""
        self._over = True
        assert self.ended.wait(LIMIT)


@pytest.fixture(params=[0.0005, 0.005, 0.02], ids=["often", "usually", "seldom"])
def switching(request: pytest.FixtureRequest) -> Iterator[None]:
    """How often the interpreter switches threads."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


def threads_run(count: int) -> None:
    for _ in range(count):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join(LIMIT)
        assert not thread.is_alive()


@pytest.mark.usefixtures("switching")
def test_threads_start_and_end_beside_a_chain_of_tasks(executor: Any) -> None:
    chain = Chain(executor)
    executor.submit(chain)
    threads_run(20)
    chain.end()


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize(
    "submit",
    [
        lambda pool: pool.submit(int),
        lambda pool: pool.map(operator.neg, range(200)),
    ],
    ids=["submit", "map"],
)
def test_threads_start_and_end_beside_native_calls(
    executor: Any, submit: Callable[[Any], Any]
) -> None:
    over = threading.Event()

    def feed() -> None:
        while not over.is_set():
            submit(executor)

    feeder = threading.Thread(target=feed)
    feeder.start()
    threads_run(10)
    over.set()
    feeder.join(LIMIT)
    assert not feeder.is_alive()
