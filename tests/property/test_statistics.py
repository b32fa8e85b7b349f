"""What statistics tell, for any durations and any sequence of calls."""

from __future__ import annotations

import concurrent.futures
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle
from support.waiting import LIMIT, Gate, occupy
from treadle import _core

pytestmark = pytest.mark.ours

ERROR = 1 / 32

durations = st.integers(0, 55).flatmap(lambda bits: st.integers(0, 2**bits))  # up to a year


@given(st.lists(durations, min_size=1, max_size=300), st.integers(1, 5))
def test_percentiles_are_close_to_the_exact_ones(values: list[int], parts: int) -> None:
    count, mean, p50, p90, p99, longest = _core._summarize(values, parts)
    ordered = sorted(values)
    assert count == len(values)
    assert mean == pytest.approx(sum(values) / len(values) / 1e9)
    assert longest == pytest.approx(ordered[-1] / 1e9)
    for share, found in ((0.5, p50), (0.9, p90), (0.99, p99)):
        exact = ordered[math.ceil(share * len(values)) - 1] / 1e9
        assert abs(found - exact) <= exact * ERROR * (1 + 1e-9)
    assert 0 <= p50 <= p90 <= p99 <= longest


@given(st.lists(durations, max_size=100))
def test_how_durations_are_spread_over_histograms_does_not_matter(values: list[int]) -> None:
    assert _core._summarize(values) == _core._summarize(values, 7)


def test_odd_durations() -> None:
    assert _core._summarize([]) == (0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert _core._summarize([-3]) == (1, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert _core._summarize([2**62])[5] == pytest.approx(2**62 / 1e9)
    hour = 3600 * 10**9
    assert _core._summarize([6 * hour] * 99 + [1000 * hour])[2] == pytest.approx(6 * 3600, ERROR)
    with pytest.raises(ValueError, match="parts must be at least 1, not 0"):
        _core._summarize([1], 0)
    with pytest.raises(TypeError):
        _core._summarize((1,))  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        _core._summarize([2**70])


KINDS = ("gives", "raises", "cancelled", "nested", "map", "many", "waits", "uncallable")


def fail(*_: Any) -> None:
    raise LookupError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=25), st.integers(1, 3), st.booleans())
def test_every_call_ends_in_one_count(kinds: list[str], count: int, histograms: bool) -> None:
    expected = {"completed": count, "failed": 0, "cancelled": 0, "rejected": 0}
    gate = Gate()
    futures: list[concurrent.futures.Future[Any]] = []
    with treadle.ThreadPoolExecutor(count, histograms=histograms) as pool:
        occupy(pool, gate, count)
        for kind in kinds:
            if kind == "gives":
                futures.append(pool.submit(int))
                expected["completed"] += 1
            elif kind == "raises":
                futures.append(pool.submit(fail, 1, 2, 3))
                expected["failed"] += 1
            elif kind == "cancelled":
                pool.submit(int).cancel()
                expected["cancelled"] += 1
            elif kind == "nested":
                futures.append(pool.submit(lambda: pool.submit(int).result()))
                expected["completed"] += 2
            elif kind == "map":
                pool.map(int, range(3))
                expected["completed"] += 3
            elif kind == "many":
                futures += pool.submit_many(fail, range(4))
                expected["failed"] += 4
            elif kind == "waits":
                expected["completed"] += 1
                futures.append(pool.submit(gate.wait))
            elif kind == "uncallable":
                futures.append(pool.submit(5))  # type: ignore[arg-type]
                expected["failed"] += 1
        waiting = pool.statistics()
        assert waiting.running == count
        assert waiting.submitted == waiting.pending + count + waiting.cancelled
        gate.open()
        concurrent.futures.wait(futures, LIMIT)
    seen = pool.statistics()
    assert {name: getattr(seen, name) for name in expected} == expected
    assert (seen.pending, seen.running) == (0, 0)
    assert seen.submitted == seen.completed + seen.failed + seen.cancelled
    if histograms:
        assert seen.queue_wait is not None
        assert seen.run_time is not None
        assert seen.queue_wait.count == seen.run_time.count == seen.completed + seen.failed
