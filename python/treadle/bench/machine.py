"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import treadle


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run took place; a figure without it means nothing."""

    python: str
    gil: bool
    treadle: str
    system: str
    processor: str
    cpus: int
    usable_cpus: int
    load: float | None
    """The load average of the last minute when the run began: above 0, others were working."""

    def line(self) -> str:
        """One line for a person."""
        gil = "" if self.gil else ", free-threaded"
        cpus = f"{self.usable_cpus} CPU{'s' if self.usable_cpus != 1 else ''}"
        if self.usable_cpus != self.cpus:
            cpus += f" of {self.cpus}"
        parts = [
            f"treadle {self.treadle}",
            f"{self.python}{gil}",
            self.system,
            f"{cpus}, {self.processor}",
        ]
        if self.load is not None:
            parts.append(f"load {self.load:.1f}")
        return " | ".join(parts)


def treadle_version() -> str:
    """The version installed, or the module's own when it runs from its sources."""
    try:
        return metadata.version("treadle")
    except metadata.PackageNotFoundError:
        return str(getattr(treadle, "__version__", "unknown"))


def gil_enabled() -> bool:
    """Whether this interpreter runs one thread at a time."""
    check = getattr(sys, "_is_gil_enabled", None)
    if check is not None:
        return bool(check())
    return not sysconfig.get_config_var("Py_GIL_DISABLED")


def _processor() -> str:
    # platform.processor() is empty or just the architecture on Linux.
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return " ".join(value.split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def this_machine() -> Machine:
    """What can be said of this machine and this interpreter."""
    cpus = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    try:
        load: float | None = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = None
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        gil=gil_enabled(),
        treadle=treadle_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cpus=cpus,
        usable_cpus=usable,
        load=load,
    )
