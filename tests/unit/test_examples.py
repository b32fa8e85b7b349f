"""The examples run as they are, and with the standard library after changing one import."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = pytest.mark.slow

LIBRARIES = ["treadle", "concurrent.futures"]


def example(name: str, imported: str, folder: Path) -> Path:
    """A copy of an example that imports ``imported``: no other line is changed."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    changed, imports = re.subn(r"(?m)^from treadle import", f"from {imported} import", text)
    assert imports == 1, "an example imports treadle in one line"
    copy = folder / name
    copy.write_text(changed, encoding="utf-8")
    return copy


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(params=LIBRARIES)
def imported(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files in several folders: empty, small, larger than one read, and a link to one of them."""
    root = tmp_path / "tree"
    for number in range(20):
        folder = root / f"folder {number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(bytes([number]) * number * 100)
    (root / "large").write_bytes(bytes(range(256)) * 8192)
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe")
        (root / "link").symlink_to(root / "large")
    return root


def test_hash_tree_prints_the_digest_of_every_file(
    imported: str, tree: Path, tmp_path: Path
) -> None:
    finished = run(example("hash_tree.py", imported, tmp_path), str(tree))

    files = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    expected = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p}" for p in files]
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == expected
    assert "100%" in finished.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_hash_tree_tells_of_a_file_that_it_cannot_read(
    imported: str, tree: Path, tmp_path: Path
) -> None:
    (tree / "large").chmod(0)

    finished = run(example("hash_tree.py", imported, tmp_path), str(tree))

    assert finished.returncode == 1
    assert "large: Permission denied" in finished.stderr
    assert len(finished.stdout.splitlines()) == 20


def test_hash_tree_without_a_directory_says_how_to_use_it(imported: str, tmp_path: Path) -> None:
    finished = run(example("hash_tree.py", imported, tmp_path))

    assert finished.returncode == 1
    assert finished.stderr == "usage: hash_tree.py DIR\n"


@pytest.mark.parametrize("pages", [1, 60])
def test_crawl_reads_as_many_pages_as_asked(imported: str, pages: int, tmp_path: Path) -> None:
    finished = run(example("crawl.py", imported, tmp_path), str(pages))

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == f"{pages} pages\n"


ASK = """
import asyncio, json, sys, threading
import starlette_app

def pool_threads():
    return sum(thread.name.startswith("blocking") for thread in threading.enumerate())

async def ask(path):
    sent = []
    async def receive():
        return {"type": "http.request"}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await starlette_app.app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    print(sent[0]["status"], *json.loads(body).values())

async def main():
    async with starlette_app.lifespan(starlette_app.app):
        await asyncio.gather(*[ask(f"/sha256/{path}") for path in sys.argv[1:]])
        print(pool_threads() > 0)

asyncio.run(main())
print(pool_threads())
"""


def test_the_web_application_runs_blocking_calls_on_the_pool(imported: str, tmp_path: Path) -> None:
    pytest.importorskip("starlette")
    example("starlette_app.py", imported, tmp_path)
    (tmp_path / "file").write_bytes(b"contents")

    finished = subprocess.run(
        [sys.executable, "-c", ASK, "file", "missing", "../file"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )

    assert finished.returncode == 0, finished.stderr
    digest = hashlib.sha256(b"contents").hexdigest()
    answers = ["404 no such file", "404 no such file", f"200 {digest}", "True", "0"]
    assert sorted(finished.stdout.splitlines()) == sorted(answers)


def test_a_slow_call_stops_when_its_time_is_up() -> None:
    finished = run(EXAMPLES / "slow_call.py")

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        "primes below 5,000: 669",
        "primes below 1,000,000,000: not in time",
        "stopped: True",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM kills there")
def test_a_service_that_is_asked_to_end_says_what_it_leaves_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / "graceful_shutdown.py"), "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "working\n"
        service.terminate()
        output, complaints = service.communicate(timeout=60)

    assert (service.returncode, complaints) == (0, "")
    dropped, left = output.splitlines()
    assert dropped == "dropped 7 that had not started"
    assert re.fullmatch(r"left behind: stubborn at line \d+: time\.sleep\(1000\)", left)


def test_the_largest_files_are_found(tree: Path) -> None:
    finished = run(EXAMPLES / "largest_files.py", str(tree))

    assert finished.returncode == 0, finished.stderr
    lines = [line.split(maxsplit=2) for line in finished.stdout.splitlines()]
    assert [size for size, _, _ in lines] == ["2,097,152", "1,900", "1,800", "1,700", "1,600"]
    for _, checksum, path in lines:
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest().startswith(checksum)


def test_the_reader_of_files_is_held_back_by_slow_workers(tmp_path: Path) -> None:
    paths = [tmp_path / "first", tmp_path / "second"]
    for path in paths:
        path.write_bytes(os.urandom(1 << 16) * 100)

    finished = run(EXAMPLES / "backpressure.py", *map(str, paths))

    assert finished.returncode == 0, finished.stderr
    counts, water, _ = finished.stdout.splitlines()
    assert re.fullmatch(r"200 blocks, 13,\d{3},\d{3} bytes compressed", counts)
    found = re.fullmatch(r"blocks in memory: at most (\d+), then never below (\d+)", water)
    assert found, water
    assert 1 <= int(found[2]) <= int(found[1]) <= 35


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_fits_on_a_screen(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.ours
def test_priorities_tells_what_each_class_waits(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"module_{number}.py").write_bytes(os.urandom(20_000))
    done = run(EXAMPLES / "priorities.py", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["all alike"] * 2 + [
        "requests first"
    ] * 2
    assert all(re.search(r"median +[0-9.]+ ms, worst +[0-9.]+ ms$", line) for line in lines)
