"""The table as a picture; the only place that needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from treadle.bench.machine import Machine
from treadle.bench.measure import Outcome
from treadle.bench.report import times


class PlotError(Exception):
    """No picture can be drawn; the text says what to do."""


def load_figure_class() -> Any:
    """matplotlib's `Figure`, which draws into a file and needs no display."""
    try:
        return import_module("matplotlib.figure").Figure
    except ImportError as error:
        msg = f"--plot needs matplotlib ({error}); install it: pip install matplotlib"
        raise PlotError(msg) from error


def draw(path: Path, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    """A bar for each workload: how many times what treadle needs its chief rival needs."""
    # From the bottom up, as matplotlib counts.
    drawn = [outcome for outcome in reversed(outcomes) if outcome.rivals]
    ratios = [outcome.ratio(outcome.rivals[0]) for outcome in drawn]
    medians = [ratio.median for ratio in ratios]
    figure = load_figure_class()(figsize=(9, 1.6 + 0.32 * len(drawn)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(
        [outcome.case.title for outcome in drawn],
        [median - 1 for median in medians],
        left=1,  # equal is in the middle: less than 1 goes to the left
        xerr=[
            [ratio.median - ratio.low for ratio in ratios],
            [ratio.high - ratio.median for ratio in ratios],
        ],
        color=["tab:blue" if median >= 1 else "tab:orange" for median in medians],
        error_kw={"linewidth": 0.8},
    )
    axes.bar_label(bars, labels=[f" {times(median)}" for median in medians], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, *medians) / 1.5, max(2.0, *medians) * 2)  # room for the labels
    axes.margins(y=0.01)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("what the standard library needs / what treadle needs (bars: quartiles)")
    axes.set_title(machine.line(), fontsize=7)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        msg = f"cannot write the plot to {path}: {error}"
        raise PlotError(msg) from error
