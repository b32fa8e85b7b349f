"""The clock: interleaved rounds, medians, and how far they spread.

Every contestant takes its turn (ours, theirs, ours, theirs, ...), so that a machine that slows
down for a while slows all of them.  A ratio is taken within a turn, and the median of those
ratios is the one reported.  Garbage is collected before each round, outside of the clock; during
a round the collector stays as the user has it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import monotonic

from treadle.bench.workload import TREADLE, Case, Lab, RivalFailed, Round, Unavailable


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """The median and quartiles of at least one figure."""
        if len(figures) < 2:
            return cls(figures[0], figures[0], figures[0])
        low, _, high = quantiles(figures, n=4, method="inclusive")
        return cls(median(figures), low, high)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one line of the table found, or why it could not run."""

    case: Case
    figures: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    missing: frozenset[str] = frozenset()
    """Rivals that are not installed."""
    dropped: tuple[str, ...] = ()
    """Why rivals are left out that did not do their work."""
    problem: str = ""
    failed: bool = False
    """True when the problem is an error, not a machine that lacks something."""

    @property
    def rivals(self) -> list[str]:
        """Everybody but us, the chief rival first."""
        return [name for name in self.figures if name != TREADLE]

    def figure(self, name: str) -> Spread:
        """One contestant's figure in the workload's unit."""
        return Spread.of(self.figures[name])

    def ratio(self, rival: str) -> Spread:
        """How many times what we need the rival needs: above 1, we need less."""
        ours = self.figures[TREADLE]
        theirs = self.figures[rival]
        return Spread.of(
            # A figure can be 0 (processor time of sleeping threads): count it as one nanosecond.
            [b / max(a, 1e-9) for a, b in zip(ours, theirs, strict=True)]
        )


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to measure one line."""

    seconds: float
    fewest: int
    most: int


USUAL = Patience(seconds=1.4, fewest=5, most=41)
QUICK = Patience(seconds=0.15, fewest=3, most=9)

Tell = Callable[[int], None]
"""Called after each pair with the number of pairs done."""


def _pairs_wanted(case: Case, patience: Patience) -> tuple[int, int, float]:
    exact = case.workload.pairs
    if exact is not None:
        count = exact[1 if case.quick else 0]
        return count, count, 0.0
    return patience.fewest, patience.most, patience.seconds


def _take_turns(rounds: dict[str, Round], dropped: list[str]) -> dict[str, float]:
    """One round of everybody; a rival that fails is out of the game."""
    figures: dict[str, float] = {}
    for name, one_round in tuple(rounds.items()):
        gc.collect()
        try:
            figures[name] = one_round()
        except RivalFailed as reason:
            del rounds[name]
            dropped.append(str(reason))
    return figures


def measure(case: Case, tell: Tell = lambda pairs: None) -> Outcome:
    """Run one line of the table; errors are part of the outcome."""
    fewest, most, seconds = _pairs_wanted(case, QUICK if case.quick else USUAL)
    turns: list[dict[str, float]] = []
    missing: set[str] = set()
    dropped: list[str] = []
    figures: dict[str, list[float]] = {}
    problem = ""
    failed = False
    try:
        with ExitStack() as stack:
            rounds = case.workload.build(Lab(case.workers, case.tasks, case.quick, stack, missing))
            if case.workload.warm_up:
                _take_turns(rounds, dropped)
            end = monotonic() + seconds
            while len(turns) < fewest or (len(turns) < most and monotonic() < end):
                turns.append(_take_turns(rounds, dropped))
                tell(len(turns))
            # Only who took every turn: a rival may have failed in a later one.
            figures = {name: [turn[name] for turn in turns] for name in rounds}
    except Unavailable as reason:
        problem = str(reason)
    except Exception as error:  # one broken line must not cost the user the others
        problem = f"{type(error).__name__}: {error}"
        failed = True
    return Outcome(case, figures, frozenset(missing), tuple(dropped), problem, failed)
