"""Differences between Python versions, in one place."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than this package's
if TYPE_CHECKING:
    from typing import Any


MAX_WORKERS_VARIABLE = "TREADLE_MAX_WORKERS"

chosen_max_workers: int | None = None
"""What `python -m treadle --max-workers` was given; the variable would go on to child processes."""


def default_max_workers() -> int:
    """The number of workers where none is given.

    It is that of the option `--max-workers`, else of the variable TREADLE_MAX_WORKERS, else the
    standard library's default: a few more threads than processors, at most 32.
    """
    if chosen_max_workers is not None:
        return chosen_max_workers
    given = os.environ.get(MAX_WORKERS_VARIABLE)
    if given:  # empty is how shells unset a variable for one command
        return positive_integer(given, f"the environment variable {MAX_WORKERS_VARIABLE}")
    if sys.version_info >= (3, 13):
        processors = os.process_cpu_count()
    else:
        processors = os.cpu_count()
    return min(32, (processors or 1) + 4)


def positive_integer(text: str, source: str) -> int:
    """The number of workers that the user gave as `text` in `source`."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        msg = f"{source} must be a positive integer, got {text!r}"
        raise ValueError(msg)
    return number


def refuse_sub_interpreters() -> None:
    """Raise ImportError in a sub-interpreter of Python 3.10 and 3.11.

    The extension refuses by itself on newer ones.  On these two the binding library hangs before it
    gets that far.
    """
    if sys.version_info >= (3, 12):
        return
    interpreters: Any = __import__("_xxsubinterpreters")
    if interpreters.get_current() != interpreters.get_main():
        msg = "treadle does not support sub-interpreters: import it in the main interpreter"
        raise ImportError(msg)
