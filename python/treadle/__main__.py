"""The command line: ``python -m treadle COMMAND``, or a programme to run (see runner.py).

A command is a module with ``main(arguments) -> exit status``, imported only when it is asked for,
so that nothing here slows the start of a programme.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

from treadle import runner


class Command(NamedTuple):
    """Where a command lives, and what it is for."""

    module: str
    summary: str


COMMANDS: Final = {
    "bench": Command(
        "treadle.bench.cli", "measure this machine: treadle beside the standard library"
    ),
}


def usage() -> str:
    """Every command with its purpose."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: python -m treadle COMMAND [options]",
            "       python -m treadle [options] SCRIPT | -m MODULE | -c CODE | - [arguments]",
            "       python -m treadle --version | --help",
            "",
            "commands:",
            *lines,
            "",
            "anything else is run as `python` would run it, with this package's executors in the",
            "place of the standard library's; a file called like a command needs its path: ./bench",
            "",
            runner.USAGE,
            "",
            "`python -m treadle COMMAND --help` explains one of them.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and give the exit status of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given and not runner.stdin_has_programme():
        print(usage())
        return 0
    first, rest = (given[0], given[1:]) if given else ("", [])
    if first in {"-h", "--help"}:
        print(usage())
        return 0
    if first in {"-V", "--version"}:
        from treadle.bench.machine import treadle_version

        print(f"treadle {treadle_version()}")
        return 0
    command = COMMANDS.get(first)
    if command is not None:
        status: int = import_module(command.module).main(rest)
        return status
    if first.isidentifier() and not os.path.exists(first):
        known = ", ".join(COMMANDS)
        print(
            f"treadle: unknown command {first!r}, and there is no such file; "
            f"expected one of: {known}, or a programme",
            file=sys.stderr,
        )
        return 2
    return runner.main(given)


if __name__ == "__main__":
    if status := main():
        sys.exit(status)
