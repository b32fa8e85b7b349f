"""`python -m treadle` with a programme: where it comes from, its arguments, options and pools."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import zipapp
from typing import TYPE_CHECKING

import pytest

from support.programmes import BY_TREADLE, run_programme, same_ending, write
from support.waiting import LIMIT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ours

DESCRIBE = """
import sys
print(sys.argv, sys.path, __name__)
names = dict(globals())
for name in sorted(names):
    value = names[name]
    print(name, value if isinstance(value, (str, dict, type(None))) else type(value))
print(getattr(__spec__, "name", None), getattr(__loader__, "name", None))
print(sys.modules["__main__"].__dict__ is globals())
"""

KINDS = """
import concurrent.futures
from concurrent.futures import ThreadPoolExecutor, thread
print(ThreadPoolExecutor.__module__, thread.ThreadPoolExecutor is ThreadPoolExecutor)
"""
OURS = "treadle.executors.thread True\n"

ARGUMENTS = ["-m", "--report", "-h", "a b", "--", ""]


def test_a_script_is_run_with_its_arguments_and_path(tmp_path: Path) -> None:
    write(tmp_path, "folder/script.py", DESCRIBE)

    for name in ("folder/script.py", "./folder/../folder/script.py"):
        ending = same_ending(tmp_path, name, *ARGUMENTS)
        assert ending.stdout.startswith(str([name, *ARGUMENTS]))


def test_a_script_may_have_an_absolute_path(tmp_path: Path) -> None:
    same_ending(tmp_path, str(tmp_path / write(tmp_path, "script", DESCRIBE)), "x")


def test_a_link_to_a_script_leads_to_the_modules_beside_the_script(tmp_path: Path) -> None:
    write(tmp_path, "real/script.py", DESCRIBE)
    (tmp_path / "link.py").symlink_to("real/script.py")

    same_ending(tmp_path, "link.py")


def test_a_compiled_script_is_run(tmp_path: Path) -> None:
    write(tmp_path, "script.py", DESCRIBE)
    py_compile.compile(str(tmp_path / "script.py"), str(tmp_path / "script.pyc"))

    same_ending(tmp_path, "script.pyc", "x")


def test_a_directory_is_run(tmp_path: Path) -> None:
    write(tmp_path, "folder/__main__.py", DESCRIBE + "import beside")
    write(tmp_path, "folder/beside.py", "print(__name__)")

    same_ending(tmp_path, "folder", "x")
    same_ending(tmp_path, "./folder/", "x")


def test_an_archive_is_run(tmp_path: Path) -> None:
    write(tmp_path, "folder/__main__.py", DESCRIBE + "import beside\n1 / 0")
    write(tmp_path, "folder/beside.py", "print(__name__)")
    zipapp.create_archive(tmp_path / "folder", tmp_path / "app.pyz")

    assert same_ending(tmp_path, "app.pyz", "x").status == 1


def test_a_module_is_run(tmp_path: Path) -> None:
    write(tmp_path, "module.py", DESCRIBE)

    same_ending(tmp_path, "-m", "module", *ARGUMENTS)
    same_ending(tmp_path, "-mmodule")


def test_a_package_is_run(tmp_path: Path) -> None:
    write(tmp_path, "package/__init__.py", "import sys; print(sys.argv)")
    write(tmp_path, "package/__main__.py", DESCRIBE + "from . import beside")
    write(tmp_path, "package/beside.py", "print(__name__)\nif __name__ == '__main__': 1 / 0")

    same_ending(tmp_path, "-m", "package", "x")
    assert same_ending(tmp_path, "-m", "package.beside").status == 1


def test_code_is_run(tmp_path: Path) -> None:
    same_ending(tmp_path, "-c", DESCRIBE, *ARGUMENTS)
    same_ending(tmp_path, f"-c{DESCRIBE}")
    same_ending(tmp_path, "-c", "")


def test_standard_input_is_run(tmp_path: Path) -> None:
    same_ending(tmp_path, "-", *ARGUMENTS, given=DESCRIBE)
    same_ending(tmp_path, given=DESCRIBE + "print(sys.stdin.read())")


def test_standard_input_may_be_a_file(tmp_path: Path) -> None:
    write(tmp_path, "script.py", KINDS)

    with (tmp_path / "script.py").open() as file:
        command = [sys.executable, "-m", "treadle"]
        output = subprocess.check_output(command, stdin=file, text=True, timeout=LIMIT)

    assert output == OURS


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no -P")
def test_the_interpreter_may_be_told_to_leave_the_path_alone(tmp_path: Path) -> None:
    write(tmp_path, "folder/script.py", DESCRIBE)
    write(tmp_path, "app/__main__.py", DESCRIBE)

    for arguments in (["folder/script.py"], ["-c", DESCRIBE], ["app"]):
        same_ending(tmp_path, *arguments, options=("-P",))


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.py"],
        ["./missing"],
        ["empty"],
        ["-m", "no_such_module"],
        ["-m", "no_such_package.module"],
        ["-m", "empty"],
    ],
    ids=str,
)
def test_what_cannot_be_found_is_told_as_ever(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "empty").mkdir()

    assert same_ending(tmp_path, *arguments).status in {1, 2}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-u", "script.py"], "unknown option '-u'"),
        (["--max-workers"], "--max-workers needs a value"),
        (["--max-workers=0", "-c", ""], "--max-workers must be a positive integer, got '0'"),
        (["--max-workers", "two", "-c", ""], "--max-workers must be a positive integer, got 'two'"),
        (["-m"], "-m needs a value"),
        (["-c"], "-c needs a value"),
        (["no_such_command"], "unknown command 'no_such_command'"),
    ],
)
def test_a_wrong_command_line_is_a_clear_error(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    ending = run_programme(tmp_path, BY_TREADLE, *arguments)

    assert (ending.stdout, ending.status) == ("", 2)
    assert ending.stderr.startswith(f"treadle: {complaint}")
    assert "Traceback" not in ending.stderr


def test_a_file_called_like_a_command_needs_its_path(tmp_path: Path) -> None:
    write(tmp_path, "bench", "print('the file')")

    assert run_programme(tmp_path, BY_TREADLE, "./bench") == ("the file\n", "", 0)
    assert "submit" in run_programme(tmp_path, BY_TREADLE, "bench", "--list").stdout


@pytest.mark.parametrize("arguments", [["script.py"], ["-m", "script"], ["-c", KINDS], ["-"]])
def test_programmes_get_native_executors(tmp_path: Path, arguments: list[str]) -> None:
    write(tmp_path, "script.py", KINDS)

    assert run_programme(tmp_path, BY_TREADLE, *arguments, given=KINDS) == (OURS, "", 0)


def test_the_default_executor_of_asyncio_is_native(tmp_path: Path) -> None:
    source = """
import asyncio
async def main():
    await asyncio.to_thread(int)
    print(asyncio.get_running_loop()._default_executor.__module__)
asyncio.run(main())
"""
    assert run_programme(tmp_path, BY_TREADLE, "-c", source).stdout == OURS.split()[0] + "\n"


WORKERS = """
from concurrent.futures import ThreadPoolExecutor
import os
print(ThreadPoolExecutor()._max_workers, ThreadPoolExecutor(max_workers=1)._max_workers)
print(os.environ.get("TREADLE_MAX_WORKERS"))
"""


def test_max_workers_is_the_number_where_the_programme_gives_none(tmp_path: Path) -> None:
    for options in (["--max-workers", "3"], ["--max-workers=3"]):
        ending = run_programme(tmp_path, BY_TREADLE, *options, "-c", WORKERS)
        assert ending == ("3 1\nNone\n", "", 0)


def test_max_workers_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_MAX_WORKERS", "5")

    assert run_programme(tmp_path, BY_TREADLE, "-c", WORKERS).stdout == "5 1\n5\n"
    options = ["--max-workers", "3"]
    assert run_programme(tmp_path, BY_TREADLE, *options, "-c", WORKERS).stdout == "3 1\n5\n"


def test_a_wrong_number_in_the_environment_is_told_before_the_programme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_MAX_WORKERS", "many")

    ending = run_programme(tmp_path, BY_TREADLE, "-c", "print('runs')")

    assert (ending.stdout, ending.status) == ("", 2)
    assert "TREADLE_MAX_WORKERS must be a positive integer, got 'many'" in ending.stderr


def test_the_usage_tells_of_programmes() -> None:
    command = [sys.executable, "-m", "treadle"]
    for arguments in ([], ["--help"]):
        finished = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT,
        )
        assert "SCRIPT" in finished.stdout
        assert "--max-workers" in finished.stdout


def test_a_programme_that_reads_a_closed_standard_input_gets_its_usage(tmp_path: Path) -> None:
    code = "import os; os.close(0); os.execv({0!r}, [{0!r}, '-m', 'treadle'])"
    command = [sys.executable, "-c", code.format(os.fspath(sys.executable))]
    output = subprocess.check_output(command, text=True, timeout=LIMIT, cwd=tmp_path)
    assert output.startswith("usage: ")
