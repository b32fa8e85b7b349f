"""Waiting for a Future with a time limit: which limits there are, and what wrong ones raise."""

from __future__ import annotations

import concurrent.futures
import sys
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome
from support.waiting import in_thread

if TYPE_CHECKING:
    from concurrent.futures import Future

each_method = pytest.mark.parametrize("method", ["result", "exception"])


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


@each_method
@pytest.mark.parametrize(
    "timeout", [0, 0.0, -1, -1e300, 0.001, True, float("-inf"), -(10**400), False]
)
def test_time_runs_out_with_the_timeout_error_of_the_standard_library(
    future: Future[Any], method: str, timeout: float
) -> None:
    timeout = 0.01 if timeout is True else timeout
    for _ in range(2):
        with pytest.raises(concurrent.futures.TimeoutError) as caught:
            getattr(future, method)(timeout)
        assert type(caught.value) is concurrent.futures.TimeoutError
        assert caught.value.args == ()
    with pytest.raises(concurrent.futures.TimeoutError):
        getattr(future, method)(timeout=timeout)
    assert not future.done()


@each_method
def test_a_limit_is_waited_for_and_not_much_longer(future: Future[Any], method: str) -> None:
    begin = time.monotonic()
    with pytest.raises(concurrent.futures.TimeoutError):
        getattr(future, method)(0.05)
    assert 0.045 <= time.monotonic() - begin < 10


@each_method
@pytest.mark.parametrize("timeout", [None, 60, 60.0, 1e6, 10**6, True + 59])
def test_a_result_in_time_is_given(future: Future[Any], method: str, timeout: Any) -> None:
    wait = in_thread(getattr(future, method), timeout)
    future.set_result("in time")
    assert wait.get() == ("in time" if method == "result" else None)


@each_method
@pytest.mark.parametrize("timeout", [0, -1, "soon", object(), float("inf"), 1e300])
def test_an_ended_future_looks_at_no_limit(future: Future[Any], method: str, timeout: Any) -> None:
    future.set_result(3)
    assert getattr(future, method)(timeout) == (3 if method == "result" else None)


@each_method
@pytest.mark.parametrize(
    "timeout", ["1", [], {}, b"1", 1j, object, ()], ids=lambda value: type(value).__name__
)
def test_a_limit_of_a_wrong_type_is_refused_as_by_the_standard_library(
    future: Future[Any], method: str, timeout: Any
) -> None:
    expected = outcome(getattr(concurrent.futures.Future(), method), timeout)
    assert expected[1] is TypeError
    given = outcome(getattr(future, method), timeout)
    # Which comparison fails first depends on the version.
    assert given[:2] == expected[:2]
    assert given[2].replace("'>'", "'<='") == expected[2].replace("'>'", "'<='")


@each_method
@pytest.mark.parametrize(
    "timeout",
    [float("inf"), float("nan"), 1e300, 10**30, sys.maxsize, Fraction(1, 1000)],
    ids=["inf", "nan", "1e300", "10**30", "maxsize", "fraction"],
)
def test_a_limit_that_not_every_clock_takes_ends_as_with_the_standard_library(
    future: Future[Any], method: str, timeout: Any
) -> None:
    expected = outcome(getattr(concurrent.futures.Future(), method), timeout)
    assert outcome(getattr(future, method), timeout)[:2] == expected[:2]


@each_method
def test_too_many_and_unknown_arguments_are_refused(future: Future[Any], method: str) -> None:
    for arguments, keywords in [((1, 2), {}), ((), {"limit": 1}), ((1,), {"timeout": 1})]:
        assert outcome(getattr(future, method), *arguments, **keywords)[1] is TypeError
