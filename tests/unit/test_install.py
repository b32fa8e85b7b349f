"""`install` and `uninstall`: our executor in the place of the standard one, and back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.processes import run_python
from support.waiting import throw

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ours

PLACES = (concurrent.futures, concurrent.futures.thread)
Standard = concurrent.futures.ThreadPoolExecutor
Ours = treadle.ThreadPoolExecutor


def installed() -> list[Any]:
    return [place.ThreadPoolExecutor for place in PLACES]


def put(kind: Any) -> None:
    """What a patch of somebody else does."""
    concurrent.futures.ThreadPoolExecutor = kind  # type: ignore[misc]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Looks that a test leaves everything as it was, but for a module that is imported once."""
    treadle.install().uninstall()
    before = [dict(vars(place)) for place in PLACES]
    yield
    treadle.uninstall()
    after = [dict(vars(place)) for place in PLACES]
    assert all(old.keys() == new.keys() for old, new in zip(before, after, strict=True))
    for old, new in zip(before, after, strict=True):
        assert all(old[name] is new[name] for name in old)


def test_it_replaces_the_class_and_brings_it_back() -> None:
    treadle.install()
    assert installed() == [Ours, Ours]
    treadle.uninstall()
    assert installed() == [Standard, Standard]


def test_a_with_block_undoes_it() -> None:
    with treadle.install() as installation:
        assert installed() == [Ours, Ours]
        assert repr(installation) == "<treadle.Installation: installed>"
    assert installed() == [Standard, Standard]
    assert repr(installation) == "<treadle.Installation: uninstalled>"


def test_an_error_in_a_with_block_undoes_it_and_passes() -> None:
    with pytest.raises(ValueError, match="text"), treadle.install():
        throw(ValueError("text"))
    assert installed() == [Standard, Standard]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_each_undoes_only_its_own_in_any_order(order: tuple[int, ...]) -> None:
    installations = [treadle.install() for _ in range(3)]
    for number in order[:-1]:
        installations[number].uninstall()
        assert installed() == [Ours, Ours]
    installations[order[-1]].uninstall()
    assert installed() == [Standard, Standard]


def test_undoing_twice_does_no_harm() -> None:
    first, second = treadle.install(), treadle.install()
    first.uninstall()
    first.uninstall()
    assert installed() == [Ours, Ours]
    second.uninstall()
    treadle.uninstall()
    second.uninstall()
    assert installed() == [Standard, Standard]


def test_uninstall_undoes_all_that_is_left() -> None:
    for _ in range(3):
        treadle.install()
    treadle.uninstall()
    assert installed() == [Standard, Standard]


def test_what_somebody_else_puts_there_stays() -> None:
    class Theirs(Standard):
        pass

    with treadle.install():
        put(Theirs)
    assert installed() == [Theirs, Standard]
    put(Standard)


def test_what_somebody_else_puts_between_comes_back() -> None:
    class Theirs(Standard):
        pass

    with treadle.install():
        put(Theirs)
        with treadle.install():
            assert installed() == [Ours, Ours]
        assert installed() == [Theirs, Ours]
    assert installed() == [Theirs, Standard]
    put(Standard)


def test_many_threads_may_install_and_undo() -> None:
    barrier = threading.Barrier(8)
    wrong: list[Any] = []

    def work() -> None:
        barrier.wait(30)
        for _ in range(200):
            with treadle.install():
                if concurrent.futures.ThreadPoolExecutor is not Ours:
                    wrong.append(concurrent.futures.ThreadPoolExecutor)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert installed() == [Standard, Standard]


def test_the_default_executor_of_a_loop_is_ours() -> None:
    async def main() -> Any:
        await asyncio.to_thread(int)
        return asyncio.get_running_loop()._default_executor  # type: ignore[attr-defined]

    with treadle.install():
        executor = asyncio.run(main())
    assert type(executor) is Ours
    assert type(asyncio.run(main())) is Standard


def test_a_loop_takes_our_executors_and_subclasses_of_ours_as_default() -> None:
    class Theirs(concurrent.futures.ThreadPoolExecutor):
        pass

    async def main(executor: Any) -> int:
        asyncio.get_running_loop().set_default_executor(executor)
        return await asyncio.to_thread(int, "3")

    with treadle.install():

        class Later(concurrent.futures.ThreadPoolExecutor):
            pass

        assert asyncio.run(main(Later(1))) == 3
    assert asyncio.run(main(Later(1))) == 3
    assert asyncio.run(main(Theirs(1))) == 3


def test_pools_made_before_go_on() -> None:
    class Before(Standard):
        pass

    with Standard(1) as pool, Before(1) as derived, treadle.install():
        assert pool.submit(pow, 2, 3).result(30) == 8
        assert list(derived.map(int, "12")) == [1, 2]
        assert isinstance(derived, Standard)
        assert isinstance(concurrent.futures.ThreadPoolExecutor(), Standard)
        assert isinstance(pool, concurrent.futures.Executor)


def test_the_class_is_pickled_by_name() -> None:
    standard = pickle.dumps(Standard)
    with treadle.install():
        ours = pickle.dumps(concurrent.futures.ThreadPoolExecutor)
        assert pickle.loads(standard) is Ours
    assert pickle.loads(ours) is Ours
    assert pickle.loads(standard) is Standard


def test_a_tracer_of_the_standard_class_works_while_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    original = Standard.submit

    def traced(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        seen.append(fn)
        return original(self, fn, *args, **kwargs)

    monkeypatch.setattr(Standard, "submit", traced)
    with treadle.install(), concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(int, "3").result(30) == 3
    assert seen == [int]


def test_a_tracer_of_the_installed_class_works(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    with treadle.install(), monkeypatch.context() as patch:
        kind = concurrent.futures.ThreadPoolExecutor
        original = kind.submit

        def traced(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            seen.append(fn)
            return original(self, fn, *args, **kwargs)

        patch.setattr(kind, "submit", traced)
        with kind(1) as pool:
            assert list(pool.map(int, "12")) == [1, 2]
    assert seen == [int, int]


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="the import is lazy, the attribute there")
def test_the_attribute_that_was_not_there_yet_is_taken_away_again() -> None:
    output = run_python(
        "import sys, treadle, concurrent.futures as futures\n",
        """
        standard = futures.__dict__.pop("ThreadPoolExecutor")
        with treadle.install():
            print(futures.ThreadPoolExecutor is treadle.ThreadPoolExecutor)
        print("ThreadPoolExecutor" in vars(futures), futures.ThreadPoolExecutor is standard)
        """,
    )
    assert output == "True\nFalse True\n"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there is no InterpreterPoolExecutor")
def test_the_pool_of_interpreters_stays_what_it_is() -> None:
    output = run_python(
        "import treadle; treadle.install()\n",
        """
        from concurrent.futures import InterpreterPoolExecutor
        if __name__ == "__main__":
            with InterpreterPoolExecutor(1) as pool:
                print(pool.submit(pow, 2, 5).result(), InterpreterPoolExecutor.__base__.__module__)
        """,
    )
    assert output == "32 concurrent.futures.thread\n"
