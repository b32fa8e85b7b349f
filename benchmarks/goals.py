"""What each workload is meant to reach, by the workload's name.

A goal is a ratio against a rival of the same run, or a limit for our own figure where a ratio says
nothing.  Ratios are what is promised: figures differ between machines, ratios much less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from treadle.bench import report
from treadle.bench.measure import Outcome, Spread
from treadle.bench.workload import STDLIB, TREADLE, Unit

Mark = Literal["pass", "near", "SHORT"]


@dataclass(frozen=True, slots=True)
class Faster:
    """The rival needs at least so many times what we need."""

    rival: str
    least: float

    def judge(self, outcome: Outcome) -> Mark | None:
        """None when the rival took no part."""
        if self.rival not in outcome.rivals:
            return None
        ratio = outcome.ratio(self.rival)
        return _mark(ratio.median >= self.least, ratio.high >= self.least)

    def text(self, unit: Unit) -> str:
        return f">= {self.least:g}x"


@dataclass(frozen=True, slots=True)
class AtMost:
    """We need at most so many times what the rival needs."""

    rival: str
    most: float

    def judge(self, outcome: Outcome) -> Mark | None:
        """None when the rival took no part."""
        if self.rival not in outcome.rivals:
            return None
        ratio = outcome.ratio(self.rival)
        return _mark(ratio.median * self.most >= 1, ratio.high * self.most >= 1)

    def text(self, unit: Unit) -> str:
        return f">= {report.times(1 / self.most)} (ours <= {self.most:g}x)"


@dataclass(frozen=True, slots=True)
class Limit:
    """Our own figure is at most this, in the workload's unit."""

    most: float
    rival: str = TREADLE

    def judge(self, outcome: Outcome) -> Mark | None:
        """None when nothing was measured."""
        if TREADLE not in outcome.figures:
            return None
        ours: Spread = outcome.figure(TREADLE)
        return _mark(ours.median <= self.most, ours.low <= self.most)

    def text(self, unit: Unit) -> str:
        return f"ours <= {report.figure(self.most, unit)}"


@dataclass(frozen=True, slots=True)
class Above:
    """Our own figure is above the rival's by at most this, in the workload's unit."""

    rival: str
    most: float

    def judge(self, outcome: Outcome) -> Mark | None:
        """None when the rival took no part."""
        if self.rival not in outcome.rivals:
            return None
        ours, theirs = outcome.figure(TREADLE), outcome.figure(self.rival)
        return _mark(ours.median - theirs.median <= self.most, ours.low - theirs.high <= self.most)

    def text(self, unit: Unit) -> str:
        return f"ours <= {report.figure(self.most, unit)} more"


Goal = Faster | AtMost | Limit | Above


def _mark(reached: bool, within_spread: bool) -> Mark:
    """A goal that lies within the spread of the figures is neither reached nor missed."""
    if reached:
        return "pass"
    return "near" if within_spread else "SHORT"


GOALS: Final[dict[str, tuple[Goal, ...]]] = {
    "submit-result": (Faster(STDLIB, 30), Faster("fastthreadpool", 3)),
    "submit-only": (Faster(STDLIB, 30),),
    "submit-histograms": (Above("without histograms", 100e-9), Faster(STDLIB, 20)),
    "submit-many": (Faster("loop of submit", 1.2),),
    "bounded-producers": (Faster(STDLIB, 20), AtMost("without a bound", 1.5)),
    "submit-context": (Faster(STDLIB, 20),),
    "map-ordered": (
        Faster(STDLIB, 80),
        AtMost("plain loop", 1.5),
        Faster("ThreadPool.map", 0.8),
        Faster("ThreadPool.imap_unordered", 15),
    ),
    "map-unordered": (Faster("ThreadPool.imap_unordered", 12),),
    "round-trip": (Faster(STDLIB, 1.8), AtMost("two raw locks", 1.4)),
    "round-trip-on-one-processor": (Faster(STDLIB, 1.8), AtMost("two raw locks", 1.4)),
    "round-trip-busy": (Faster(STDLIB, 1),),
    "stdlib-as-completed": (Faster(STDLIB, 4),),
    "stdlib-wait": (Faster(STDLIB, 6),),
    "treadle-as-completed": (Faster(STDLIB, 12),),
    "treadle-wait": (Faster(STDLIB, 15),),
    "nested-fork-join": (Faster(STDLIB, 5),),
    "priorities-mixed": (
        Faster("queue.PriorityQueue, threads", 20),
        AtMost("ThreadPoolExecutor", 2),
    ),
    "priorities-equal": (
        Faster("queue.PriorityQueue, threads", 20),
        AtMost("ThreadPoolExecutor", 1.5),
    ),
    "priorities-waiting": (Faster("queue.PriorityQueue, threads", 12),),
    "os-stat": (Faster(STDLIB, 6), AtMost("plain loop", 1.6)),
    "os-pread": (Faster(STDLIB, 6),),
    "sha256": (Faster("plain loop", 1.9),),
    "cpu-bound": (Faster(STDLIB, 1),),
    "sleepers": (Faster(STDLIB, 2),),
    "create": (Faster(STDLIB, 2),),
    "asyncio-gather": (Faster(STDLIB, 8), AtMost("asyncio's own chaining", 0.5)),
    "asyncio-in-turn": (Faster(STDLIB, 1.6), AtMost("lock and call_soon_threadsafe", 1.35)),
    "uvloop-gather": (Faster(STDLIB, 2.7),),
    "uvloop-in-turn": (Faster(STDLIB, 1.6), AtMost("lock and call_soon_threadsafe", 1.35)),
    "asyncio-sleepers": (Faster(STDLIB, 2),),
    "await-gather": (Faster("asyncio.to_thread", 6),),
    "await-list": (Faster("asyncio.to_thread", 80),),
    "await-in-turn": (Faster("asyncio.to_thread", 1.8),),
    "await-in-turn-on-one-processor": (Faster("asyncio.to_thread", 1.8),),
    "await-done": (Faster("asyncio.to_thread", 150), AtMost("asyncio futures", 2.5)),
    "to-thread-gather": (Faster("asyncio.to_thread", 6),),
    "to-thread-in-turn": (Faster("asyncio.to_thread", 1.7),),
    "to-thread-in-turn-on-one-processor": (Faster("asyncio.to_thread", 1.7),),
    "asyncio-to-thread-gather": (Faster(STDLIB, 6),),
    "asyncio-to-thread-in-turn": (Faster(STDLIB, 1.7),),
    "stream-sync": (Limit(5e-6),),
    "stream-async": (Limit(5e-6),),
    "iterate-sync": (Limit(1e-6), Faster("a hop for each item", 20)),
    "iterate-async": (Limit(1e-6), Faster("a hop for each item", 20)),
    "trio-gather": (Faster("trio.to_thread", 2),),
    "trio-in-turn": (Faster("trio.to_thread", 2),),
    "idle": (Limit(1e-3),),
    "pending": (Limit(200), Faster(STDLIB, 8)),
    "import-time": (AtMost(STDLIB, 1.5),),
}


def judgements(outcome: Outcome, rival: str, *, first: bool) -> list[tuple[str, Mark]]:
    """The goals that belong to the line beside ``rival``; our own limits go to the first line."""
    found: list[tuple[str, Mark]] = []
    for goal in GOALS.get(outcome.case.workload.name, ()):
        if goal.rival == rival or (first and goal.rival == TREADLE):
            mark = goal.judge(outcome)
            if mark is not None:
                found.append((goal.text(outcome.case.workload.unit), mark))
    return found
