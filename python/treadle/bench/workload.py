"""A workload: one question, asked of every contestant in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Literal

Round = Callable[[], float]
"""One measurement of one contestant: a figure in the workload's unit, less is better."""

Rounds = dict[str, Round]
"""Every contestant's round; treadle comes first, its chief rival second."""

Unit = Literal["s", "B"]

TREADLE: Final = "treadle"
STDLIB: Final = "stdlib"


class Unavailable(Exception):
    """This workload cannot run on this machine; the text says why."""


class RivalFailed(Exception):
    """A rival gave no (or no right) answer: its line is left out, the others stay."""


@dataclass(slots=True)
class Lab:
    """What a workload is given: its size, and a place to leave what must be closed."""

    workers: int
    tasks: int
    quick: bool
    stack: ExitStack
    missing: set[str] = field(default_factory=set[str])
    """Rivals that are not installed."""

    def timed(self, job: Callable[[], object], tasks: int | None = None) -> Round:
        """A round that times one call of ``job`` and shares it among the tasks."""
        count = self.tasks if tasks is None else tasks

        def one_round() -> float:
            start = perf_counter()
            job()
            return (perf_counter() - start) / count

        return one_round


@dataclass(frozen=True, slots=True)
class Workload:
    """A question and the settings to ask it with."""

    name: str
    group: str
    title: str
    """May hold ``{workers}`` and ``{tasks}``."""
    question: str
    build: Callable[[Lab], Rounds]
    workers: tuple[int, ...]
    fixed_workers: bool
    tasks: int
    quick_tasks: int
    unit: Unit
    pairs: tuple[int, int] | None
    """Exactly so many pairs (usually, in a quick run); None: as many as fit the time."""
    warm_up: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A workload at one size: a line of the table."""

    workload: Workload
    workers: int
    tasks: int
    quick: bool

    @property
    def name(self) -> str:
        """The workload's name, and the number of workers where there are several."""
        several = len(self.workload.workers) > 1
        return f"{self.workload.name}-{self.workers}" if several else self.workload.name

    @property
    def title(self) -> str:
        return self.workload.title.format(workers=self.workers, tasks=self.tasks)

    def matches(self, wanted: str) -> bool:
        """Whether ``wanted`` occurs in the name or the title, in any case of letters."""
        return wanted.lower() in f"{self.name}\n{self.title}".lower()


_registry: dict[str, Workload] = {}


def workload(
    title: str,
    *,
    tasks: int,
    quick_tasks: int | None = None,
    workers: int | tuple[int, ...] = 2,
    fixed_workers: bool = False,
    unit: Unit = "s",
    pairs: tuple[int, int] | None = None,
    warm_up: bool = True,
) -> Callable[[Callable[[Lab], Rounds]], Callable[[Lab], Rounds]]:
    """Register a function that builds the rounds; its docstring's first line is the question."""

    def register(build: Callable[[Lab], Rounds]) -> Callable[[Lab], Rounds]:
        name = build.__name__.replace("_", "-")
        _registry[name] = Workload(
            name=name,
            group=build.__module__.rpartition("workloads_")[2],
            title=title,
            question=(build.__doc__ or "").strip().partition("\n")[0],
            build=build,
            workers=(workers,) if isinstance(workers, int) else workers,
            fixed_workers=fixed_workers,
            tasks=tasks,
            quick_tasks=tasks if quick_tasks is None else quick_tasks,
            unit=unit,
            pairs=pairs,
            warm_up=warm_up,
        )
        return build

    return register


def registered() -> list[Workload]:
    """Every workload whose module was imported, in the order of definition."""
    return list(_registry.values())


def cases(
    workloads: Iterable[Workload], *, workers: int | None = None, quick: bool = False
) -> list[Case]:
    """The lines of a run; ``workers`` replaces the usual numbers where a workload lets it."""
    return [
        Case(item, count, item.quick_tasks if quick else item.tasks, quick)
        for item in workloads
        for count in (item.workers if workers is None or item.fixed_workers else (workers,))
    ]
