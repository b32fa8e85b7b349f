"""Programmes run twice: plainly, and by `python -m treadle`, which must make no difference."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAINLY: list[str] = []
BY_TREADLE = ["-m", "treadle"]


class Ending(NamedTuple):
    """What is left of a programme that has ended."""

    stdout: str
    stderr: str
    status: int


@contextlib.contextmanager
def heeding_interrupts() -> Iterator[None]:
    """New processes heed SIGINT, also where tests run in the background of a shell: a signal that
    is ignored there would be ignored by them, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_programme(
    folder: Path, how: list[str], *arguments: str, options: tuple[str, ...] = (), given: str = ""
) -> Ending:
    """Run an interpreter in the folder, with `given` on its standard input."""
    with heeding_interrupts():
        finished = subprocess.run(
            [sys.executable, *options, *how, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            cwd=folder,
        )
    return Ending(finished.stdout, finished.stderr, finished.returncode)


def same_ending(
    folder: Path, *arguments: str, options: tuple[str, ...] = (), given: str = ""
) -> Ending:
    """How the programme ends, by treadle just as plainly."""
    plainly = run_programme(folder, PLAINLY, *arguments, options=options, given=given)
    by_treadle = run_programme(folder, BY_TREADLE, *arguments, options=options, given=given)
    assert by_treadle == plainly
    return by_treadle


def write(folder: Path, name: str, source: str) -> str:
    """Write a programme; gives its name."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return name
