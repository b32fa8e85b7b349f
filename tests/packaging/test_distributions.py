"""The sdist builds alone, and the wheel holds the package and nothing else.

Runs in `nox -s packaging`: it builds the project twice and needs a compiler.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.wheel, pytest.mark.slow, pytest.mark.timeout(900)]

EXTENSION = r"treadle/_core\.[\w-]+\.so"
# Boost.Thread and what it needs itself, where Boost came from PyPI.
LIBRARIES = r"treadle/libboost_(atomic|chrono|container|date_time|thread)\.so\.[\d.]+"
METADATA = r"treadle-[\d.]+\.dist-info/(METADATA|WHEEL|RECORD|licenses/LICENSE)"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and a wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    return folder


@pytest.fixture(scope="module")
def wheel_names(distributions: Path) -> list[str]:
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        return [name for name in wheel.namelist() if not name.endswith("/")]


@pytest.fixture(scope="module")
def sdist_names(distributions: Path) -> list[str]:
    """The files of the sdist, without the folder that holds them all."""
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        return [member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()]


def test_the_wheel_holds_every_module_of_the_package(wheel_names: list[str]) -> None:
    folder = ROOT / "python"
    files = (file for file in folder.rglob("*") if file.suffix in {".py", ".pyi", ".typed"})
    modules = {str(file.relative_to(folder)) for file in (*files, folder / "treadle/py.typed")}
    assert modules <= set(wheel_names)


def test_the_wheel_holds_one_extension(wheel_names: list[str]) -> None:
    assert len([name for name in wheel_names if re.fullmatch(EXTENSION, name)]) == 1


def test_the_wheel_holds_nothing_else(wheel_names: list[str]) -> None:
    expected = rf"treadle/[\w/]+\.pyi?|treadle/py\.typed|{EXTENSION}|{LIBRARIES}|{METADATA}"
    assert [name for name in wheel_names if not re.fullmatch(expected, name)] == []


def test_the_sdist_holds_sources_and_tests(sdist_names: list[str]) -> None:
    wanted = {"CMakeLists.txt", "pyproject.toml", "noxfile.py", "README.md", "LICENSE"}
    for folder in ("src", "python", "tests"):
        files = (file for file in (ROOT / folder).rglob("*.[chp]*") if file.suffix != ".pyc")
        wanted |= {str(file.relative_to(ROOT)) for file in files}
    assert wanted - set(sdist_names) == set()


def test_the_sdist_holds_nothing_that_was_built(sdist_names: list[str]) -> None:
    built = re.compile(r"\.(so|o|a|pyc|whl)$|^(build|dist|\.nox|\.git)/")
    assert [name for name in sdist_names if built.search(name)] == []


def test_the_extension_loads_without_the_sources(distributions: Path, tmp_path: Path) -> None:
    wheel = next(distributions.glob("*.whl"))
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", target, wheel]
    subprocess.run(install, check=True)
    code = [
        "import sys",
        f"sys.path.insert(0, {str(target)!r})",
        "import treadle",
        "print(treadle.__file__, treadle.ThreadPoolExecutor(1).submit(abs, -3).result())",
    ]
    command = [sys.executable, "-I", "-c", "\n".join(code)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    path, result = answer.stdout.split()
    assert path.startswith(str(target))
    assert result == "3"
