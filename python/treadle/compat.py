"""Differences between Python versions, in one place."""

from __future__ import annotations

import os
import sys


def default_max_workers() -> int:
    """The standard library's default: a few more threads than processors, at most 32."""
    if sys.version_info >= (3, 13):
        processors = os.process_cpu_count()
    else:
        processors = os.cpu_count()
    return min(32, (processors or 1) + 4)


def refuse_sub_interpreters() -> None:
    """Raise ImportError in a sub-interpreter of Python 3.10 and 3.11.

    Newer versions refuse by themselves, with the same error: the extension does not claim to
    support several interpreters.  Older ones would load it, and share objects between interpreters.
    """
    if sys.version_info >= (3, 12):
        return
    interpreters = sys.modules.get("_xxsubinterpreters")
    if interpreters is None:
        # Nothing in this interpreter has started another one; ask only where it could have been
        # started from outside: the main interpreter's identity is 0.
        import _xxsubinterpreters as interpreters
    if interpreters.get_current() != interpreters.get_main():
        msg = "treadle does not support sub-interpreters: import it in the main interpreter"
        raise ImportError(msg)
