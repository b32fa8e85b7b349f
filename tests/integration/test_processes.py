"""A pool beside process pools and `multiprocessing`, as real programmes mix them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.processes import run

if TYPE_CHECKING:
    from pathlib import Path

    from support.libraries import Library

PROGRAMME = """
import concurrent.futures, multiprocessing

def in_process(number):
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(int, range(number)))

def main():
    gate = threading.Event()
    threads = ThreadPoolExecutor(2)
    waiting = threads.submit(gate.wait)
    context = multiprocessing.get_context(sys.argv[1])
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as processes:
        futures = [processes.submit(in_process, number) for number in range(10)]
        futures += [threads.submit(int, number) for number in range(10)]
        assert wait(futures, 25).not_done == set()
        print(sum(future.result() for future in futures))
    gate.set()
    assert waiting.result(5)

if __name__ == "__main__":
    main()
"""

methods = ["fork", "spawn", "forkserver"] if sys.platform == "linux" else ["spawn"]


@pytest.mark.parametrize("method", methods)
def test_a_process_pool_beside_a_busy_thread_pool(
    library: Library, tmp_path: Path, method: str
) -> None:
    script = tmp_path / "programme.py"
    script.write_text(library.imports + PROGRAMME)
    expected = sum(sum(range(number)) for number in range(10)) + sum(range(10))
    assert run(str(script), method).split() == [str(expected)]
