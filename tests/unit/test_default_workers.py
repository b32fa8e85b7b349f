"""How many workers a pool has where nobody says: the environment, and what is wrong in it."""

from __future__ import annotations

import concurrent.futures

import pytest

import treadle

pytestmark = pytest.mark.ours

VARIABLE = "TREADLE_MAX_WORKERS"


def test_without_the_variable_it_is_the_standard_number(monkeypatch: pytest.MonkeyPatch) -> None:
    standard = concurrent.futures.ThreadPoolExecutor()._max_workers
    monkeypatch.delenv(VARIABLE, raising=False)
    assert treadle.ThreadPoolExecutor()._max_workers == standard
    monkeypatch.setenv(VARIABLE, "")
    assert treadle.ThreadPoolExecutor()._max_workers == standard


def test_the_variable_is_read_for_each_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 7, 100):
        monkeypatch.setenv(VARIABLE, str(number))
        assert treadle.ThreadPoolExecutor()._max_workers == number


def test_a_number_in_the_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "7")
    assert treadle.ThreadPoolExecutor(1)._max_workers == 1
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        treadle.ThreadPoolExecutor(0)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "4 threads"])
def test_a_wrong_number_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    expected = f"the environment variable {VARIABLE} must be a positive integer, got '{text}'"
    with pytest.raises(ValueError, match=expected):
        treadle.ThreadPoolExecutor()
    assert treadle.ThreadPoolExecutor(2)._max_workers == 2
