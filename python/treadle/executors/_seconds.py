"""Times that users give, in seconds."""

from __future__ import annotations

import math

__all__ = ["check_seconds"]

_MOST = 1e9  # thirty years: beyond that the clock's nanoseconds overflow sooner or later


def check_seconds(seconds: object, name: str) -> None:
    """Raise unless it is a positive, finite number, or None."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        msg = f"{name} must be a number of seconds or None, not {seconds!r}"
        raise TypeError(msg)
    if not (math.isfinite(seconds) and 0 < seconds <= _MOST):
        msg = f"{name} must be positive, finite and at most {_MOST:g} seconds, not {seconds!r}"
        raise ValueError(msg)
