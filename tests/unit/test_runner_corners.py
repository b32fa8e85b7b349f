"""Programmes that few would write, and that end by `python -m treadle` as they do plainly."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.programmes import BY_TREADLE, run_programme, same_ending, write
from support.waiting import LIMIT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ours


def test_a_programme_without_an_exception_hook(tmp_path: Path) -> None:
    name = write(tmp_path, "script.py", "import sys; del sys.excepthook; 1 / 0")
    ending = same_ending(tmp_path, name)
    assert ending.status == 1
    assert "ZeroDivisionError" in ending.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_programme_that_comes_through_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "treadle", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pipe.write_text("print('read once')")
        assert process.communicate(timeout=LIMIT) == ("read once\n", None)


def test_a_report_changes_no_error(tmp_path: Path) -> None:
    source = """
        from treadle import ThreadPoolExecutor
        async def fetch():
            pass
        def numbers():
            yield 1
        with ThreadPoolExecutor(1) as pool:
            print(list(pool.iterate(numbers)))
            pool.submit(fetch)
    """
    name = write(tmp_path, "script.py", source)
    ending = run_programme(tmp_path, BY_TREADLE, "--report", name)
    assert ending.status == 1
    assert ending.stdout == "[1]\n"
    assert "TypeError: submit is for blocking functions, and fetch is a coroutine" in ending.stderr
    assert "__main__.numbers" in ending.stderr
