"""A programme's uncaught exceptions, shown as the interpreter shows them, without our frames."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

OWN_MODULES = {"treadle.programme", "treadle.uncaught"}


def call(function: Callable[..., object], *args: Any) -> None:
    """Call the function; what it raises is shown here, and then ends the interpreter as ever.

    The interpreter must see the exception, too: after a KeyboardInterrupt it dies of the signal,
    after anything else with status 1, both when threads and exit handlers are through.
    """
    try:
        function(*args)
    except SystemExit:
        raise
    except BaseException as error:
        failure = error
    else:
        return
    traceback = without_own_frames(failure.__traceback__)
    hook: Any = getattr(sys, "excepthook", None)
    if hook is None:  # as the interpreter does
        print("sys.excepthook is missing", file=sys.stderr)
        hook = sys.__excepthook__
    remember(failure, traceback)
    show(hook, failure, traceback)

    def shown_already(*_: object) -> None:
        sys.excepthook = hook
        remember(failure, traceback)

    sys.excepthook = shown_already
    raise failure


def without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is not ours."""
    while traceback and traceback.tb_frame.f_globals.get("__name__") in OWN_MODULES:
        traceback = traceback.tb_next
    return traceback


def remember(error: BaseException, traceback: TracebackType | None) -> None:
    """Leave the exception where debuggers look for it."""
    error.__traceback__ = traceback
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback
    if sys.version_info >= (3, 12):
        sys.last_exc = error


def show(
    hook: Callable[..., object], error: BaseException, traceback: TracebackType | None
) -> None:
    """Call the programme's hook, or tell why that fails."""
    sys.audit("sys.excepthook", hook, type(error), error, traceback)
    try:
        hook(type(error), error, traceback)
    except SystemExit:
        raise
    except BaseException as second:
        rest = second.__traceback__.tb_next if second.__traceback__ else None
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(second), second.with_traceback(rest), rest)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, traceback)
