"""`Future._get_snapshot`: what asyncio reads from Python 3.15 on, given on every Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from concurrent.futures import Future

pytestmark = pytest.mark.standard_since(3, 15)


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


def test_a_pending_and_a_running_future_have_nothing_to_show(future: Future[Any]) -> None:
    assert future._get_snapshot() == (False, False, None, None)
    future.set_running_or_notify_cancel()
    assert future._get_snapshot() == (False, False, None, None)


def test_a_cancelled_future_shows_that_it_is_done_and_cancelled(future: Future[Any]) -> None:
    future.cancel()
    assert future._get_snapshot() == (True, True, None, None)
    future.set_running_or_notify_cancel()
    assert future._get_snapshot() == (True, True, None, None)


def test_a_result_is_shown_itself(future: Future[Any]) -> None:
    value = object()
    future.set_result(value)
    done, cancelled, result, exception = future._get_snapshot()
    assert (done, cancelled, exception) == (True, False, None)
    assert result is value


def test_an_exception_is_shown_and_not_raised(future: Future[Any]) -> None:
    error = OSError()
    future.set_exception(error)
    done, cancelled, result, exception = future._get_snapshot()
    assert (done, cancelled, result) == (True, False, None)
    assert exception is error
