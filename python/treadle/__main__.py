"""The command line: ``python -m treadle COMMAND``.

A command is a module with ``main(arguments) -> exit status``, imported only when it is asked for,
so that nothing here slows the start of a programme.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple


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
            "       python -m treadle --version | --help",
            "",
            "commands:",
            *lines,
            "",
            "`python -m treadle COMMAND --help` explains one of them.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and give the exit status of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help"}:
        print(usage())
        return 0
    first, rest = given[0], given[1:]
    if first in {"-V", "--version"}:
        from treadle.bench.machine import treadle_version

        print(f"treadle {treadle_version()}")
        return 0
    command = COMMANDS.get(first)
    if command is None:
        known = ", ".join(COMMANDS)
        print(f"treadle: unknown command {first!r}; expected one of: {known}", file=sys.stderr)
        return 2
    status: int = import_module(command.module).main(rest)
    return status


if __name__ == "__main__":
    sys.exit(main())
