"""The three floors stay apart, and no file outgrows its concept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ["src", "python", "tests", "benchmarks", "examples"]
SUFFIXES = {".cpp", ".hpp", ".py", ".pyi"}
LIMIT = 400
EXAMPLE_LIMIT = 60


def sources(*folders: str) -> list[Path]:
    files = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    return sorted(file for file in files if file.suffix in SUFFIXES)


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def line_count(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("file", sources("src/core", "tests/core", "benchmarks/core"), ids=relative)
def test_the_core_never_includes_python(file: Path) -> None:
    includes = re.findall(r"^\s*#\s*include\s*[<\"](.+?)[>\"]", file.read_text(), re.MULTILINE)
    assert not [name for name in includes if re.match(r"Python\.h|pybind11/|python/", name)]


@pytest.mark.parametrize("file", sources("src/core", "src/python"), ids=relative)
def test_includes_between_own_files_name_the_floor(file: Path) -> None:
    quoted = re.findall(r"^\s*#\s*include\s*\"(.+?)\"", file.read_text(), re.MULTILINE)
    assert [name for name in quoted if not (ROOT / "src" / name).is_file()] == []


def test_the_module_file_is_a_table_of_contents() -> None:
    assert line_count(ROOT / "src/python/module.cpp") <= 40


def test_no_file_is_longer_than_its_concept() -> None:
    # The stub lists every native class: its length follows from theirs.
    lengths = {relative(f): line_count(f) for f in sources(*FOLDERS) if f.name != "_core.pyi"}
    assert {name: lines for name, lines in lengths.items() if lines > LIMIT} == {}


def test_examples_are_short() -> None:
    lengths = {relative(file): line_count(file) for file in sources("examples")}
    assert {name: lines for name, lines in lengths.items() if lines > EXAMPLE_LIMIT} == {}
