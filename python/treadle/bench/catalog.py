"""Every workload, in the order of the table."""

from __future__ import annotations

from typing import Final

from treadle.bench import (
    workloads_asyncio,
    workloads_await,
    workloads_blocking,
    workloads_footprint,
    workloads_map,
    workloads_nested,
    workloads_priorities,
    workloads_streams,
    workloads_submit,
    workloads_waiting,
)
from treadle.bench.workload import Workload, registered

_ORDER: Final = (
    workloads_submit,
    workloads_map,
    workloads_waiting,
    workloads_nested,
    workloads_priorities,
    workloads_blocking,
    workloads_asyncio,
    workloads_await,
    workloads_streams,
    workloads_footprint,
)


def all_workloads() -> list[Workload]:
    """Every workload, in the order of the table."""
    groups = [module.__name__.rpartition("workloads_")[2] for module in _ORDER]
    return sorted(registered(), key=lambda workload: groups.index(workload.group))
