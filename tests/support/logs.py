"""Collecting log records, and demanding them."""

from __future__ import annotations

import logging


class LogRecorder(logging.Handler):
    """Keeps what is logged until a test takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)

    def take(self) -> list[logging.LogRecord]:
        """The records since the last call."""
        taken, self.kept = self.kept, []
        return taken

    def take_texts(self) -> list[str]:
        """The messages since the last call, without tracebacks."""
        return [record.getMessage() for record in self.take()]

    def take_one(self) -> logging.LogRecord:
        """The only record since the last call."""
        (record,) = self.take()
        return record


def error_of(record: logging.LogRecord) -> BaseException:
    """The exception that a record carries."""
    assert record.exc_info
    error = record.exc_info[1]
    assert error is not None
    return error
