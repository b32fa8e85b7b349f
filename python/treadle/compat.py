"""Differences between Python versions, in one place."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than this package's
if TYPE_CHECKING:
    from typing import Any


def default_max_workers() -> int:
    """The standard library's default: a few more threads than processors, at most 32."""
    if sys.version_info >= (3, 13):
        processors = os.process_cpu_count()
    else:
        processors = os.cpu_count()
    return min(32, (processors or 1) + 4)


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
