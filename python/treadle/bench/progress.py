"""Where a run is: one line on stderr, rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys

from treadle.bench.workload import Case


class Progress:
    """Tells which workload runs; keeps out of the way of the table on stdout."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0
        self._case: Case | None = None
        self._terminal = sys.stderr.isatty()

    def start(self, case: Case) -> None:
        """The next workload begins."""
        self._number += 1
        self._case = case
        if self._terminal:
            self.pairs(0)
        else:
            print(self._text(), file=sys.stderr, flush=True)

    def pairs(self, done: int) -> None:
        """So many pairs of the workload are measured."""
        if self._terminal:
            # One column less than the terminal has: a full line would wrap and stay.
            room = shutil.get_terminal_size().columns - 1
            text = f"{self._text()} {'.' * done}"[:room]
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for a line of the table."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _text(self) -> str:
        title = self._case.title if self._case else ""
        width = len(str(self._total))
        return f"[{self._number:>{width}}/{self._total}] {title}"
