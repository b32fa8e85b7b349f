"""`map(buffersize=...)`: as in Python 3.14, given on every Python."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.standard_since(3, 14)


@pytest.mark.parametrize("buffersize", ["1", 1.0, 2.5, [], object()], ids=repr)
def test_a_size_of_a_wrong_type_is_refused(executor: ThreadPoolExecutor, buffersize: Any) -> None:
    expected = ("raised", TypeError, "buffersize must be an integer or None")
    assert outcome(executor.map, str, [1], buffersize=buffersize) == expected


@pytest.mark.parametrize("buffersize", [0, -1, False])
def test_a_size_of_nothing_is_refused(executor: ThreadPoolExecutor, buffersize: int) -> None:
    expected = ("raised", ValueError, "buffersize must be None or > 0")
    assert outcome(executor.map, str, [1], buffersize=buffersize) == expected


@pytest.mark.parametrize("buffersize", [None, 1, 2, 10, 1000])
def test_every_size_gives_all_results_in_order(
    executor: ThreadPoolExecutor, buffersize: int | None
) -> None:
    results = executor.map(str, range(200), buffersize=buffersize)
    assert list(results) == [str(number) for number in range(200)]
    assert list(executor.map(pow, [2, 3], [4, 5, 6], buffersize=buffersize)) == [16, 243]
    assert list(executor.map(str, [], buffersize=buffersize)) == []


@pytest.mark.parametrize("buffersize", [1, 3])
def test_items_are_taken_only_as_results_are_read(
    executor: ThreadPoolExecutor, buffersize: int
) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = executor.map(int, items(), buffersize=buffersize)
    assert len(taken) == buffersize
    for number in range(20):
        assert next(results) == number
        assert len(taken) == buffersize + number + 1


def test_a_buffer_larger_than_the_input_takes_it_all(executor: ThreadPoolExecutor) -> None:
    items = iter(range(5))
    results = executor.map(int, items, buffersize=100)
    assert list(items) == []
    assert list(results) == list(range(5))


def test_an_exception_comes_at_its_item(executor: ThreadPoolExecutor) -> None:
    results = executor.map(divmod, [1] * 10, [1, 1, 0, *[1] * 7], buffersize=2)
    assert [next(results), next(results)] == [(1, 0), (1, 0)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results, "end") == "end"


def test_an_exception_of_the_iterable_comes_when_the_item_is_taken(
    executor: ThreadPoolExecutor,
) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        message = "no fourth item"
        raise LookupError(message)

    results = executor.map(int, items(), buffersize=2)
    assert next(results) == 0
    with pytest.raises(LookupError, match="no fourth item"):
        list(results)


def test_a_freed_pool_submits_no_more(executor_type: type[ThreadPoolExecutor]) -> None:
    results = executor_type(1).map(int, itertools.count(), buffersize=4)
    assert list(results) == [0, 1, 2, 3]
