"""``python -m treadle [options] PROGRAMME``: an unmodified programme on native executors.

The programme runs as if it were run plainly: its arguments, its path, `__main__`, tracebacks, exit
status and signals.  What differs is `concurrent.futures.ThreadPoolExecutor` (see `install`).
Children that `multiprocessing` forks inherit that; those that it spawns start afresh, on the
standard library, unless the programme's own module installs.
"""

from __future__ import annotations

import os
import sys

import treadle
from treadle import compat

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.programme import Programme

USAGE = """\
options for a programme:
  --max-workers N  the number of workers where the programme gives none
  --report         at exit, on stderr: tasks, waits, and where the time went"""


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


class Options:
    """What the command line asks for."""

    def __init__(self) -> None:
        self.max_workers: int | None = None
        self.report = False
        self.programme: Programme | None = None


def parse(arguments: Sequence[str]) -> Options:
    """Read options up to the programme; what follows belongs to it.

    Raises:
        UsageError: An option is unknown, or lacks its value, or the programme is missing.
    """
    from treadle.programme import Command, Module, Script, Stdin

    options = Options()
    left = list(arguments)

    def value_of(option: str) -> str:
        if not left:
            msg = f"{option} needs a value"
            raise UsageError(msg)
        return left.pop(0)

    while left and options.programme is None:
        first = left.pop(0)
        name, equals, value = first.partition("=")
        if first == "--report":
            options.report = True
        elif name == "--max-workers":
            options.max_workers = _workers(value if equals else value_of(name))
        elif first[:2] in {"-c", "-m"}:
            kind = Command if first[:2] == "-c" else Module
            options.programme = kind(first[2:] or value_of(first), left)
        elif first == "-":
            options.programme = Stdin(first, left)
        elif first == "--":
            options.programme = Script(value_of("--"), left)
        elif first.startswith("-"):
            msg = (
                f"unknown option {first!r}; expected --max-workers, --report, -m, -c or a script "
                "(options of the interpreter go before `-m treadle`)"
            )
            raise UsageError(msg)
        else:
            options.programme = Script(first, left)
    return options


def _workers(text: str) -> int:
    try:
        return compat.positive_integer(text, "--max-workers")
    except ValueError as error:
        raise UsageError(error) from None


def stdin_has_programme() -> bool:
    """Whether standard input is a file or a pipe: neither a terminal nor nothing at all."""
    import stat

    try:
        mode = os.fstat(0).st_mode
    except OSError:  # closed
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def main(arguments: Sequence[str]) -> int:
    """Run a programme; the exit status, unless the programme ends with an exception."""
    from treadle.programme import Stdin

    try:
        options = parse(arguments)
        compat.chosen_max_workers = options.max_workers
        compat.default_max_workers()  # a wrong variable is better told now than by the first pool
    except (UsageError, ValueError) as error:
        print(f"treadle: {error}", file=sys.stderr)
        return 2
    programme = options.programme
    if programme is None:
        if not stdin_has_programme():
            print("treadle: no programme given", file=sys.stderr)
            return 2
        programme = Stdin("", [])
    treadle.install()
    if options.report:
        from treadle import report

        report.start()
    return programme.run()
