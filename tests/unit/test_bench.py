"""`python -m treadle bench`: its options, its output, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from treadle.bench import report
from treadle.bench.catalog import all_workloads
from treadle.bench.measure import Spread, measure
from treadle.bench.workload import Case, Lab, RivalFailed, Rounds, Unavailable, Workload, cases


def treadle(
    *arguments: str, path: Path | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m treadle``; modules in ``path`` go before the installed ones."""
    environment = dict(os.environ)
    if path is not None:
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(path), *([before] if before else [])])
    return subprocess.run(
        [sys.executable, "-m", "treadle", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=environment,
    )


def hide(folder: Path, module: str) -> Path:
    """A folder in which ``module`` cannot be imported, as if it were not installed."""
    error = f"No module named {module!r}"
    (folder / f"{module}.py").write_text(f"raise ModuleNotFoundError({error!r})\n")
    return folder


def workload_of(rounds: Rounds | Exception, *, pairs: int = 3) -> Case:
    """A workload that is not in the table."""

    def build(lab: Lab) -> Rounds:
        if isinstance(rounds, Exception):
            raise rounds
        return rounds

    made = Workload(
        name="made-up",
        group="made-up",
        title="made up",
        question="Why?",
        build=build,
        workers=(1,),
        fixed_workers=False,
        tasks=1,
        quick_tasks=1,
        unit="s",
        pairs=(pairs, pairs),
        warm_up=False,
    )
    return cases([made])[0]


class TestCommandLine:
    def test_without_arguments_it_prints_its_usage(self) -> None:
        finished = treadle()

        assert finished.returncode == 0
        assert finished.stdout.startswith("usage: python -m treadle")
        assert "bench" in finished.stdout

    def test_an_unknown_command_is_a_clear_error(self) -> None:
        finished = treadle("bensh")

        assert finished.returncode == 2
        assert "unknown command 'bensh'" in finished.stderr
        assert "bench" in finished.stderr

    def test_version_is_told(self) -> None:
        finished = treadle("--version")

        assert finished.returncode == 0
        assert finished.stdout.split()[0] == "treadle"

    def test_list_names_every_workload_with_its_question(self) -> None:
        finished = treadle("bench", "--list")

        assert finished.returncode == 0
        listed = finished.stdout.splitlines()
        assert [line.split()[0] for line in listed] == [c.name for c in cases(all_workloads())]
        assert all(line.endswith("?") for line in listed)

    def test_an_unknown_workload_is_a_clear_error(self) -> None:
        finished = treadle("bench", "-k", "no such thing")

        assert finished.returncode == 2
        assert "no workload matches 'no such thing'" in finished.stderr
        assert "--list" in finished.stderr
        assert not finished.stdout

    @pytest.mark.parametrize("number", ["0", "-1", "two"])
    def test_a_wrong_number_of_workers_is_a_clear_error(self, number: str) -> None:
        finished = treadle("bench", f"--workers={number}")

        assert finished.returncode == 2
        assert f"expected a whole number above 0, got '{number}'" in finished.stderr

    def test_plot_without_matplotlib_is_a_clear_error_before_measuring(
        self, tmp_path: Path
    ) -> None:
        finished = treadle(
            "bench", "--plot", str(tmp_path / "out.png"), path=hide(tmp_path, "matplotlib")
        )

        assert finished.returncode == 2
        assert "--plot needs matplotlib" in finished.stderr
        assert "pip install matplotlib" in finished.stderr
        assert not finished.stdout


@pytest.mark.slow
class TestRun:
    def test_one_workload_is_a_table_with_the_machine_above_it(self) -> None:
        finished = treadle("bench", "--quick", "-k", "submit-held")

        assert finished.returncode == 0, finished.stderr
        machine, _, heading, _, line, *_ = finished.stdout.splitlines()
        assert machine.startswith("treadle ")
        assert "Python" in machine
        assert heading.split() == " ".join(report.HEADINGS).split()
        assert line.startswith("submit only, worker held  stdlib")

    def test_progress_goes_to_stderr_as_plain_lines_without_a_terminal(self) -> None:
        finished = treadle("bench", "--quick", "-k", "submit-held")

        assert finished.stderr == "[1/1] submit only, worker held\n"

    def test_json_without_a_file_is_all_that_stdout_gets(self) -> None:
        finished = treadle("bench", "--quick", "-k", "create", "--json", "--workers", "3")

        assert finished.returncode == 0, finished.stderr
        found: dict[str, Any] = json.loads(finished.stdout)
        assert found["machine"]["usable_cpus"] >= 1
        (workload,) = found["workloads"]
        assert (workload["name"], workload["workers"]) == ("create", 3)
        assert workload["figures"]["treadle"]["median"] > 0
        ours, theirs = (workload["figures"][name]["rounds"] for name in ("treadle", "stdlib"))
        assert len(ours) == len(theirs) >= 3
        assert workload["ratios"]["stdlib"]["low"] <= workload["ratios"]["stdlib"]["high"]

    def test_json_into_a_file_leaves_the_table_on_stdout(self, tmp_path: Path) -> None:
        path = tmp_path / "figures.json"

        finished = treadle("bench", "--quick", "-k", "create", "--json", str(path))

        assert finished.returncode == 0, finished.stderr
        assert "create, one task, shut down" in finished.stdout
        assert json.loads(path.read_text())["workloads"][0]["name"] == "create"

    def test_json_into_a_place_that_cannot_be_written_is_a_clear_error(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "missing" / "figures.json"

        finished = treadle("bench", "--quick", "-k", "create", "--json", str(path))

        assert finished.returncode == 1
        assert str(path) in finished.stderr
        assert "Traceback" not in finished.stderr

    def test_a_rival_that_is_not_installed_is_left_out_with_a_note(self, tmp_path: Path) -> None:
        finished = treadle(
            "bench", "--quick", "-k", "submit-held", path=hide(tmp_path, "fastthreadpool")
        )

        assert finished.returncode == 0, finished.stderr
        assert "fastthreadpool is not installed" in finished.stdout

    def test_workers_replaces_the_usual_numbers_except_where_they_are_the_point(self) -> None:
        found = cases(all_workloads(), workers=3)

        by_name = {case.workload.name: case.workers for case in found}
        assert by_name["submit-result"] == 3
        assert by_name["submit-held"] == 1
        assert len([case for case in found if case.workload.name == "submit-result"]) == 1

    def test_a_plot_is_written(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        path = tmp_path / "out.png"

        finished = treadle("bench", "--quick", "-k", "create", "--plot", str(path))

        assert finished.returncode == 0, finished.stderr
        assert path.read_bytes().startswith(b"\x89PNG")


class TestMeasuring:
    def test_contestants_take_turns_and_a_ratio_belongs_to_a_turn(self) -> None:
        turns: list[str] = []
        ours, theirs = iter([1.0, 2.0, 4.0]), iter([2.0, 8.0, 40.0])

        def us() -> float:
            turns.append("us")
            return next(ours)

        def them() -> float:
            turns.append("them")
            return next(theirs)

        outcome = measure(workload_of({"treadle": us, "them": them}))

        assert turns == ["us", "them"] * 3
        assert outcome.figure("treadle").median == 2.0
        assert outcome.ratio("them") == Spread(median=4.0, low=3.0, high=7.0)

    def test_a_rival_that_fails_is_left_out_and_the_others_stay(self) -> None:
        def broken() -> float:
            reason = "it lost a task"
            raise RivalFailed(reason)

        outcome = measure(
            workload_of({"treadle": lambda: 1.0, "broken": broken, "them": lambda: 3.0})
        )

        assert outcome.rivals == ["them"]
        assert outcome.dropped == ("it lost a task",)
        assert not outcome.failed
        assert any("it lost a task" in note for note in report.notes([outcome]))

    def test_a_workload_that_this_machine_cannot_run_says_why_and_is_no_failure(self) -> None:
        outcome = measure(workload_of(Unavailable("no such call here")))

        assert not outcome.failed
        assert [line.rival for line in report.lines(outcome)] == ["no such call here"]

    def test_an_error_in_a_workload_is_told_and_is_a_failure(self) -> None:
        outcome = measure(workload_of(ValueError("broken")))

        assert outcome.failed
        assert outcome.problem == "ValueError: broken"

    @pytest.mark.parametrize(
        ("value", "unit", "text"),
        [
            (1.234e-7, "s", "0.123 us"),
            (1.234e-5, "s", "12.3 us"),
            (0.1234, "s", "123 ms"),
            (12.34, "s", "12.3 s"),
            (176.6, "B", "177 B"),
        ],
    )
    def test_figures_have_three_digits_in_a_fitting_unit(
        self, value: float, unit: Any, text: str
    ) -> None:
        assert report.figure(value, unit) == text

    def test_every_workload_has_a_question_and_its_own_name(self) -> None:
        workloads = all_workloads()

        assert all(workload.question.endswith("?") for workload in workloads)
        names = [case.name for case in cases(workloads)]
        assert len(names) == len(set(names))
