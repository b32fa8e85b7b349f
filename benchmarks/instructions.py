"""How many instructions does a task take, from `submit` through its run to its result?

    python benchmarks/instructions.py [--library stdlib] [--check | --update]

Time depends on the machine and on what else it does; the count of instructions hardly does, so
that it can guard against regressions where timings cannot.  A child interpreter runs under
callgrind twice, with few tasks and with many: the difference, divided by the difference in tasks,
is free of the interpreter's start.

To make the count repeatable there is one worker, held until everything is submitted, so that the
two threads never compete for the GIL; hashes are not randomised, and the garbage collector, whose
full collections come at irregular counts, is off.  The count holds for one build of Python and of
treadle: the recorded figures belong to the release build that CI makes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

RECORD: Final = Path(__file__).with_name("instructions.json")
TOLERANCE: Final = 0.03
FEW, MANY = 1000, 6000

LIBRARIES: Final = {"treadle": "treadle", "stdlib": "concurrent.futures"}

CHILD: Final = """
import gc, sys, threading
from {module} import ThreadPoolExecutor
gc.disable()
sys.setswitchinterval(1000)
def nothing(value):
    return value
def burst(pool, tasks):
    started, release = threading.Event(), threading.Event()
    def hold():
        started.set()
        release.wait()
    pool.submit(hold)
    started.wait()
    futures = [pool.submit(nothing, number) for number in range(tasks)]
    release.set()
    # The last first: nobody but the worker runs until everything is done.
    futures[-1].result()
    for future in futures:
        future.result()
with ThreadPoolExecutor(1) as pool:
    burst(pool, 500)
    burst(pool, {tasks})
"""


class CountingError(Exception):
    """No count could be taken; the text says why."""


def _run(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "0", "LC_ALL": "C"}
    finished = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=600
    )
    if finished.returncode != 0:
        msg = f"{command[0]} failed with {finished.returncode}:\n{finished.stderr.strip()}"
        raise CountingError(msg)
    return finished.stderr


def _count_with_callgrind(child: list[str]) -> int:
    said = _run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", *child])
    found = re.search(r"Collected *: *(\d+)", said)
    if found is None:
        msg = f"callgrind told no count:\n{said}"
        raise CountingError(msg)
    return int(found[1])


def _count_with_perf(child: list[str]) -> int:
    said = _run(["perf", "stat", "-x", ",", "-e", "instructions:u", *child])
    found = re.search(r"^(\d+),[^,]*,instructions", said, re.MULTILINE)
    if found is None:
        msg = f"perf told no count:\n{said.strip()}"
        raise CountingError(msg)
    return int(found[1])


def instructions(library: str, tasks: int) -> int:
    """Instructions of a whole process that runs ``tasks`` tasks."""
    child = [sys.executable, "-c", CHILD.format(module=LIBRARIES[library], tasks=tasks)]
    if shutil.which("valgrind"):
        return _count_with_callgrind(child)
    if shutil.which("perf"):
        return _count_with_perf(child)
    msg = "neither valgrind nor perf is installed"
    raise CountingError(msg)


def instructions_per_task(library: str) -> float:
    """Instructions of one submit, run and result."""
    return (instructions(library, MANY) - instructions(library, FEW)) / (MANY - FEW)


def build() -> str:
    """The kind of interpreter that a figure belongs to."""
    abi = getattr(sys, "abiflags", "")
    return f"{sys.implementation.cache_tag}{abi}-{platform.machine()}"


def recorded() -> dict[str, float]:
    """The figures on record, by kind of interpreter."""
    if not RECORD.exists():
        return {}
    figures: dict[str, float] = json.loads(RECORD.read_text(encoding="utf-8"))
    return figures


def check(count: float, record: float | None) -> int:
    """Compare with the record, and give the exit status."""
    if record is None:
        print(f"no record for {build()} in {RECORD.name}: make one with --update")
        return 2
    change = count / record - 1
    print(f"record {record:.0f}: {change:+.1%}")
    if change > TOLERANCE:
        print(f"more than {TOLERANCE:.0%} above the record: find out why, or --update it")
        return 1
    if change < -TOLERANCE:
        print("well below the record: keep the gain with --update")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, and do with the count what was asked."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/instructions.py", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--library", choices=sorted(LIBRARIES), default="treadle")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="fail when above the record")
    action.add_argument("--update", action="store_true", help="make this the record")
    options = parser.parse_args(arguments)
    if options.library != "treadle" and (options.check or options.update):
        parser.error("only treadle's count is on record")
    try:
        count = instructions_per_task(options.library)
    except (CountingError, subprocess.TimeoutExpired) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(f"{options.library} on {build()}: {count:.0f} instructions a task")
    if options.update:
        figures = {**recorded(), build(): round(count)}
        text = json.dumps(figures, indent=2, sort_keys=True)
        RECORD.write_text(f"{text}\n", encoding="utf-8")
        print(f"recorded in {RECORD.name}")
    return check(count, recorded().get(build())) if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
