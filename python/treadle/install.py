"""`install`: unchanged programmes get this package's executor from `concurrent.futures`.

Invariants:

1. An installation is a layer: it knows for each place what it has put there and what was there
   before.  Layers are removed in any order; whoever lies above takes over what lay below.
2. What somebody else has put into a place in the meantime stays.
3. `_layers` changes only under `_lock`.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread
import contextlib
import sys
import threading

from treadle.executors.thread import ThreadPoolExecutor

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from typing_extensions import Self

__all__ = ["Installation", "install", "uninstall"]

NAME = "ThreadPoolExecutor"
PLACES: tuple[ModuleType, ...] = (concurrent.futures, concurrent.futures.thread)
MISSING = object()  # `concurrent.futures` gets the attribute when it is first asked for

_layers: list[Installation] = []
_lock = threading.Lock()


class Installation:
    """What `install` has changed, and the way back: `uninstall`, or the end of a `with` block."""

    def __init__(self) -> None:
        self.before: list[Any] = [vars(place).get(NAME, MISSING) for place in PLACES]
        for place in PLACES:
            setattr(place, NAME, ThreadPoolExecutor)

    def uninstall(self) -> None:
        """Undo this installation, and no other; a second time does nothing.

        Example::

            installation = treadle.install()
            ...
            installation.uninstall()
        """
        with _lock:
            if self in _layers:
                _remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    def __repr__(self) -> str:
        state = "installed" if self in _layers else "uninstalled"
        return f"<treadle.Installation: {state}>"


def install() -> Installation:
    """Put `treadle.ThreadPoolExecutor` in the place of `concurrent.futures.ThreadPoolExecutor`.

    It holds for the whole process and for whoever asks from now on, so also for the default
    executor of asyncio's loops.  Modules that have said `from concurrent.futures import
    ThreadPoolExecutor` before keep the standard class, and its executors are no instances of ours:
    install first, best of all with `python -m treadle`.

    Returns:
        An object that undoes it, by its `uninstall` method or at the end of a `with` block.

    Example::

        treadle.install()

        with treadle.install():
            legacy.main()
    """
    if sys.version_info >= (3, 14):
        # It derives from whatever is in the place, and needs the standard class.
        with contextlib.suppress(ImportError):
            __import__("concurrent.futures.interpreter")
    with _lock:
        layer = Installation()
        _layers.append(layer)
    return layer


def uninstall() -> None:
    """Undo every installation that is left; without one, nothing happens.

    A library that installs for itself undoes its own: see `install`.

    Example::

        treadle.uninstall()
    """
    with _lock:
        while _layers:
            _remove(_layers[-1])


def _remove(layer: Installation) -> None:
    index = _layers.index(layer)
    above = _layers[index + 1] if index + 1 < len(_layers) else None
    for number, place in enumerate(PLACES):
        before = layer.before[number]
        if above is not None:
            if above.before[number] is ThreadPoolExecutor:
                above.before[number] = before
        elif vars(place).get(NAME) is ThreadPoolExecutor:
            if before is MISSING:
                delattr(place, NAME)
            else:
                setattr(place, NAME, before)
    del _layers[index]
