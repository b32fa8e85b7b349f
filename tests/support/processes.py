"""Scripts in interpreters of their own: for exits, forks, signals and limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

from support.waiting import LIMIT

INTERRUPT_WHEN_ASLEEP = '''
def send_when_main_sleeps(number=signal.SIGINT):
    """Sends a real signal to this process as soon as its main thread is asleep in a wait."""

    def asleep():
        with open(f"/proc/self/task/{native_id}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "S"

    def watch():
        in_a_row = 0
        while in_a_row < 20:
            in_a_row = in_a_row + 1 if asleep() else 0
            time.sleep(0.002)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    native_id = threading.main_thread().native_id
    threading.Thread(target=watch, daemon=True).start()
'''
"""A function for child processes that send signals to themselves."""


OPTIONS = [
    "-X",
    "faulthandler",
    "-W",
    "error",
    "-W",
    "ignore:This process:DeprecationWarning",  # 3.12+: fork with threads
]


def run_python(imports: str, source: str, *arguments: str, **options: Any) -> str:
    """Runs the source in a new interpreter; gives what it printed (see `run`)."""
    return run("-c", imports + textwrap.dedent(source), *arguments, **options)


def run(*arguments: str, limit: float = LIMIT, returncode: int = 0) -> str:
    """Runs a new interpreter; gives what it printed.

    It must end in time with `returncode`, and complain of nothing.  One that does not end is
    aborted, so that the failure shows the stack of each of its threads.
    """
    with subprocess.Popen(
        [sys.executable, *OPTIONS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, complaints = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            try:
                output, complaints = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                output, complaints = "", "(and it does not die of SIGABRT)"
            os.killpg(process.pid, signal.SIGKILL)  # its children, too
            message = f"the child does not end; it printed {output!r} and\n{complaints}"
            raise AssertionError(message) from None
    assert (process.returncode, complaints) == (returncode, ""), output
    return output
