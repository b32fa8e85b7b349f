"""What may be raised into a reader's loop."""

from __future__ import annotations

__all__ = ["raisable"]


def raisable(error: BaseException) -> BaseException:
    """The error; one that would only end the reader's loop is wrapped, as generators do it."""
    if not isinstance(error, (StopIteration, StopAsyncIteration)):
        return error
    wrapped = RuntimeError(f"{type(error).__name__} was raised where it does not end anything")
    wrapped.__cause__ = error
    return wrapped
