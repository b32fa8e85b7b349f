"""Every workload, in the order of the table."""

from __future__ import annotations

# Importing a module registers its workloads; the order of these lines is the table's.
from treadle.bench import workloads_submit  # noqa: F401 isort: skip
from treadle.bench import workloads_map  # noqa: F401 isort: skip
from treadle.bench import workloads_waiting  # noqa: F401 isort: skip
from treadle.bench import workloads_nested  # noqa: F401 isort: skip
from treadle.bench import workloads_blocking  # noqa: F401 isort: skip
from treadle.bench import workloads_asyncio  # noqa: F401 isort: skip
from treadle.bench import workloads_footprint  # noqa: F401 isort: skip
from treadle.bench.workload import Workload, registered


def all_workloads() -> list[Workload]:
    """Every workload, in the order of the table."""
    return registered()
