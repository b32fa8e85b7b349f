"""The developers' table: every workload with its goal, and whether it is reached.

    python benchmarks/run.py [-k SUBSTRING] [--quick] [--workers N] [--repeat N] [--markdown]

The workloads are those of ``python -m treadle bench``; only the goals are added here.  A miss is
a reason to look, never a failed build: timed tests fail on busy machines.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable, Sequence
from datetime import date
from time import monotonic

import goals
from treadle.bench import cli, report
from treadle.bench.machine import Machine, this_machine
from treadle.bench.measure import Outcome, measure
from treadle.bench.progress import Progress
from treadle.bench.workload import TREADLE, Case

_COLUMNS = (("goal", 22), ("reached", 7))

_STUCK = 180.0
"""Seconds for one workload after which the stacks of all threads are printed and the run ends."""


def goal_cells(outcome: Outcome, rival: str, *, first: bool) -> tuple[str, str]:
    """The goals of one line, and the worst of their marks."""
    judged = goals.judgements(outcome, rival, first=first)
    marks = [mark for _, mark in judged]
    worst = next((mark for mark in ("SHORT", "near", "pass") if mark in marks), "")
    return "; ".join(text for text, _ in judged), worst


def table_lines(outcome: Outcome) -> list[tuple[str, ...]]:
    """The cells of one workload's lines, goals included."""
    shown = report.lines(outcome)
    return [
        (*line.cells(), *goal_cells(outcome, line.rival, first=number == 0))
        for number, line in enumerate(shown)
    ]


MARKDOWN_HEADING = (
    "| date | treadle | Python | machine | workload | treadle | beside | ratio | spread | goal |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def markdown_rows(machine: Machine, outcome: Outcome) -> list[str]:
    """Rows for the history in README.md: one for each rival."""
    if not outcome.figures:
        return []
    unit = outcome.case.workload.unit
    where = f"{machine.usable_cpus} x {machine.processor}, {machine.system}"
    python = machine.python.replace("CPython ", "") + ("" if machine.gil else "t")
    ours = report.figure(outcome.figure(TREADLE).median, unit)
    rows: list[str] = []
    for number, rival in enumerate(outcome.rivals):
        theirs = report.figure(outcome.figure(rival).median, unit)
        ratio = outcome.ratio(rival)
        goal, mark = goal_cells(outcome, rival, first=number == 0)
        cells = (
            date.today().isoformat(),
            machine.treadle,
            python,
            where,
            outcome.case.title,
            ours,
            f"{rival} {theirs}",
            report.times(ratio.median),
            f"{report.ratio_digits(ratio.low)} .. {report.ratio_digits(ratio.high)}",
            f"{goal}: {mark}" if goal else "",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def run(
    cases: Sequence[Case],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Measure every case, and tell of each as soon as it is done."""
    progress = Progress(len(cases))
    outcomes: list[Outcome] = []
    for case in cases:
        progress.start(case)
        faulthandler.dump_traceback_later(_STUCK, exit=True)
        outcome = measure(case, progress.pairs)
        faulthandler.cancel_dump_traceback_later()
        progress.clear()
        outcomes.append(outcome)
        tell(outcome)
    return outcomes


def main(arguments: Sequence[str] | None = None, groups: Sequence[str] = ()) -> int:
    """Print the table; ``groups`` restricts it to the workloads of those modules."""
    parser = cli.parser(prog="benchmarks/run.py")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="the whole run N times")
    parser.add_argument(
        "--markdown", action="store_true", help="print rows for the history in README.md"
    )
    options = parser.parse_args(arguments)
    if options.json or options.plot:
        parser.error("--json and --plot belong to `python -m treadle bench`")
    chosen = [
        case
        for case in cli.chosen_cases(options, parser)
        if not groups or case.workload.group in groups
    ]
    if not chosen:
        parser.error(f"no workload of {', '.join(groups)} matches {options.k!r}")
    if options.list:
        cli.list_cases(chosen)
        return 0

    table = report.Table(chosen, _COLUMNS)
    failed = False
    for _ in range(options.repeat):
        machine = this_machine()
        began = monotonic()
        print(f"{machine.line()}\n")
        print(MARKDOWN_HEADING if options.markdown else table.heading(), flush=True)

        def tell(outcome: Outcome, machine: Machine = machine) -> None:
            if options.markdown:
                shown = markdown_rows(machine, outcome)
            else:
                shown = [table.line(cells) for cells in table_lines(outcome)]
            print("\n".join(shown), flush=True)

        outcomes = run(chosen, tell)
        failed = failed or any(outcome.failed for outcome in outcomes)
        print()
        print("\n".join(report.notes(outcomes)))
        summary = _summary(outcomes)
        print(f"{summary}; {len(outcomes)} workloads in {monotonic() - began:.0f} s.\n")
    return 1 if failed else 0


def _summary(outcomes: Sequence[Outcome]) -> str:
    marks = [
        mark
        for outcome in outcomes
        for number, rival in enumerate(outcome.rivals)
        for _, mark in goals.judgements(outcome, rival, first=number == 0)
    ]
    counted = {mark: marks.count(mark) for mark in ("pass", "near", "SHORT")}
    return (
        f"Goals: {counted['pass']} reached, {counted['near']} within the spread, "
        f"{counted['SHORT']} missed"
    )


if __name__ == "__main__":
    sys.exit(main())
