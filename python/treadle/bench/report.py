"""A run as a table for people and as JSON for programmes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from treadle.bench.machine import Machine
from treadle.bench.measure import Outcome, Spread
from treadle.bench.rivals import HOW_TO_INSTALL, rival_versions
from treadle.bench.workload import TREADLE, Case, Unit


def figure(value: float, unit: Unit) -> str:
    """Three significant digits in the unit that suits them."""
    if unit == "B":
        return f"{value:.0f} B"
    for limit, scale, name in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if abs(value) < limit:
            return f"{digits(value * scale)} {name}"
    return f"{digits(value)} s"


def digits(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.9995 else f"{value:.3f}"


def times(value: float) -> str:
    """A ratio."""
    return f"{ratio_digits(value)}x"


def ratio_digits(value: float) -> str:
    """As `digits`, but two places are enough below 1."""
    return digits(value) if value >= 1 else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: ours beside one rival."""

    title: str
    rival: str
    ours: str
    theirs: str
    ratio: str
    spread: str

    def cells(self) -> tuple[str, ...]:
        """The cells in the order of `HEADINGS`."""
        return (self.title, self.rival, self.ours, self.theirs, self.ratio, self.spread)


HEADINGS = ("workload", "beside", "treadle", "the other", "ratio", "from .. to")


def lines(outcome: Outcome) -> list[Line]:
    """One line for each rival; the title and our own figure are told once."""
    case = outcome.case
    if outcome.problem:
        return [Line(case.title, outcome.problem, "", "", "", "")]
    unit = case.workload.unit
    ours = figure(outcome.figure(TREADLE).median, unit)
    found: list[Line] = []
    for rival in outcome.rivals:
        ratio: Spread = outcome.ratio(rival)
        found.append(
            Line(
                title="" if found else case.title,
                rival=rival,
                ours="" if found else ours,
                theirs=figure(outcome.figure(rival).median, unit),
                ratio=times(ratio.median),
                spread=f"{ratio_digits(ratio.low)} .. {ratio_digits(ratio.high)}",
            )
        )
    return found


class Table:
    """Lines of a fixed width, so that each can be printed as soon as it is known."""

    def __init__(self, cases: Iterable[Case], extra: Sequence[tuple[str, int]] = ()) -> None:
        title = max((len(case.title) for case in cases), default=0)
        self._widths = [title, 25, 8, 9, 7, 12, *(width for _, width in extra)]
        self._headings = (*HEADINGS, *(name for name, _ in extra))

    def heading(self) -> str:
        """The names of the columns, underlined."""
        line = self.line(self._headings)
        return f"{line}\n{'-' * len(line)}"

    def line(self, cells: Sequence[str]) -> str:
        """One line; numbers to the right."""
        padded = [
            cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, self._widths, strict=False))
        ]
        return "  ".join(padded).rstrip()


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What a reader of the table must know."""
    found = [
        "Medians; ratio: what the other needs, divided by what treadle needs (above 1x, treadle"
        " needs less), with its quartiles."
    ]
    missing = sorted(set[str]().union(*(outcome.missing for outcome in outcomes)))
    found += [f"{name} is not installed: left out; {HOW_TO_INSTALL[name]}" for name in missing]
    found += [
        f"{outcome.case.title}: a rival is left out, {reason}."
        for outcome in outcomes
        for reason in outcome.dropped
    ]
    return found


def as_json(machine: Machine, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Everything that a run found; figures are in seconds or bytes, as ``unit`` says."""
    return {
        "machine": asdict(machine),
        "rivals": rival_versions(),
        "seconds": round(seconds, 1),
        "workloads": [_outcome_as_json(outcome) for outcome in outcomes],
    }


def _outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    return {
        "name": case.name,
        "title": case.title,
        "question": case.workload.question,
        "unit": case.workload.unit,
        "workers": case.workers,
        "tasks": case.tasks,
        "figures": {
            name: {**asdict(outcome.figure(name)), "rounds": rounds}
            for name, rounds in outcome.figures.items()
        },
        "ratios": {rival: asdict(outcome.ratio(rival)) for rival in outcome.rivals},
        "missing": sorted(outcome.missing),
        "dropped": list(outcome.dropped),
        "problem": outcome.problem or None,
    }
