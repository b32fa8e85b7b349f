"""``python -m treadle bench``: the table for the user's own machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from treadle.bench import plot, report
from treadle.bench.catalog import all_workloads
from treadle.bench.machine import this_machine
from treadle.bench.measure import Outcome, measure
from treadle.bench.progress import Progress
from treadle.bench.workload import Case, cases


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        msg = f"expected a whole number above 0, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return number


def parser(prog: str = "python -m treadle bench") -> argparse.ArgumentParser:
    """The options that every table has."""
    options = argparse.ArgumentParser(
        prog=prog,
        description="What one task costs on this machine: treadle beside the standard library, "
        "and beside other pools where they are installed. Takes about a minute.",
    )
    options.add_argument("-k", metavar="SUBSTRING", help="only workloads whose name contains this")
    options.add_argument("--list", action="store_true", help="list the workloads and stop")
    options.add_argument("--quick", action="store_true", help="about 10 seconds, rougher figures")
    options.add_argument(
        "--workers", type=_positive, metavar="N", help="so many workers, where it makes sense"
    )
    options.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write every figure to FILE; without FILE, to stdout instead of the table",
    )
    options.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the table (needs matplotlib)"
    )
    return options


def chosen_cases(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Case]:
    """The lines asked for; ends the process with a clear message when there are none."""
    found = cases(all_workloads(), workers=options.workers, quick=options.quick)
    if options.k is not None:
        found = [case for case in found if case.matches(options.k)]
        if not found:
            parser.error(f"no workload matches {options.k!r}; --list shows them all")
    return found


def list_cases(found: Sequence[Case]) -> None:
    """Names and questions."""
    width = max(len(case.name) for case in found)
    for case in found:
        print(f"{case.name:<{width}}  {case.workload.question}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit status: 1 when a workload failed."""
    options_parser = parser()
    options = options_parser.parse_args(arguments)
    found = chosen_cases(options, options_parser)
    if options.list:
        list_cases(found)
        return 0
    if options.plot is not None:
        try:
            plot.load_figure_class()  # now, not after a minute of measuring
        except plot.PlotError as error:
            options_parser.error(str(error))

    show_table = options.json != "-"
    machine = this_machine()
    table = report.Table(found)
    progress = Progress(len(found))
    outcomes: list[Outcome] = []
    began = monotonic()
    if show_table:
        print(f"{machine.line()}\n\n{table.heading()}", flush=True)
    interrupted = False
    try:
        for case in found:
            progress.start(case)
            outcome = measure(case, progress.pairs)
            progress.clear()
            outcomes.append(outcome)
            if show_table:
                for line in report.lines(outcome):
                    print(table.line(line.cells()), flush=True)
    except KeyboardInterrupt:
        progress.clear()
        interrupted = True
    seconds = monotonic() - began
    if show_table:
        print()
        for note in (*report.notes(outcomes), f"{len(outcomes)} workloads in {seconds:.0f} s."):
            print(note)

    try:
        if options.json is not None:
            text = json.dumps(report.as_json(machine, outcomes, seconds), indent=2)
            if show_table:
                Path(options.json).write_text(f"{text}\n", encoding="utf-8")
            else:
                print(text)
        if options.plot is not None:
            plot.draw(options.plot, machine, outcomes)
    except (OSError, plot.PlotError) as error:
        print(f"{options_parser.prog}: error: {error}", file=sys.stderr)
        return 1
    if interrupted:
        print(f"{options_parser.prog}: interrupted", file=sys.stderr)
        return 130
    return 1 if any(outcome.failed for outcome in outcomes) else 0
