"""Times that users give, in seconds."""

from __future__ import annotations

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = ["MOST", "check_seconds", "is_number"]

MOST = 1e9
"""Thirty years: beyond that the clock's nanoseconds overflow sooner or later."""

_MANY = 10**400


def is_number(seconds: object) -> TypeGuard[float]:
    """Whether it is of a type that stands for a number of seconds."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool)


def check_seconds(seconds: object, name: str) -> None:
    """Raise unless it is a positive, finite number, or None."""
    if seconds is None:
        return
    if not is_number(seconds):
        msg = f"{name} must be a number of seconds or None, not {seconds!r}"
        raise TypeError(msg)
    if not 0 < seconds <= MOST:
        given = (
            repr(seconds)
            if type(seconds) is float or seconds < _MANY
            else "a number with too many digits to show"
        )
        msg = f"{name} must be positive, finite and at most {MOST:g} seconds, not {given}"
        raise ValueError(msg)
