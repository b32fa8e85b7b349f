"""`python -m treadle --report`: what it tells, and that it changes nothing else."""

from __future__ import annotations

import functools
import os
import re
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from support.programmes import BY_TREADLE, Ending, run_programme, write
from treadle.report import Measurements, duration, name_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ours


def reported(folder: Path, source: str) -> tuple[Ending, dict[str, int]]:
    """How the programme ends, and how often it called which function by the report."""
    ending = run_programme(folder, BY_TREADLE, "--report", write(folder, "script.py", source))
    lines = re.findall(r"^ +\S+ \w+ +\S+ \w+ +(\d+)  (.+)$", ending.stderr, re.MULTILINE)
    return ending, {name: int(calls) for calls, name in lines}


def test_every_way_into_a_pool_is_counted(tmp_path: Path) -> None:
    ending, calls = reported(
        tmp_path,
        """
        import asyncio, concurrent.futures, treadle

        def submitted(x): return x
        def mapped(x): return x
        def in_loop(x): return x
        def threaded(x, *, y=0): return x + y
        def ours(x): return x
        def many(x): return x
        class Subclass(concurrent.futures.ThreadPoolExecutor): pass

        async def main():
            loop = asyncio.get_running_loop()
            print(await loop.run_in_executor(None, in_loop, 1))
            print(await asyncio.to_thread(threaded, 2, y=3))
            print(await treadle.to_thread(ours, 4))

        with Subclass(2) as pool:
            print([pool.submit(submitted, number).result() for number in range(3)])
            print(list(pool.map(mapped, range(4))), sorted(pool.map_unordered(mapped, "ab")))
            print([future.result() for future in pool.submit_many(many, range(2))])
        asyncio.run(main())
        """,
    )
    output = ["[0, 1, 2]", "[0, 1, 2, 3] ['a', 'b']", "[0, 1]", "1", "5", "4"]
    assert ending.stdout.splitlines() == output
    assert calls == {
        "__main__.submitted": 3,
        "__main__.mapped": 6,
        "__main__.many": 2,
        "__main__.in_loop": 1,
        "__main__.threaded": 1,
        "__main__.ours": 1,
    }
    assert ending.stderr.startswith("treadle: 14 tasks run\nwait in the queue: mean ")


def test_calls_that_their_submitter_runs_are_counted(tmp_path: Path) -> None:
    _, calls = reported(
        tmp_path,
        """
        import threading, treadle

        def here(): pass

        release, begun = threading.Event(), threading.Event()
        with treadle.ThreadPoolExecutor(1, max_pending=1, when_full="run") as pool:
            pool.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            for _ in range(4):
                pool.submit(here)
            release.set()
        """,
    )
    assert calls == {"__main__.here": 4, "__main__.<lambda>": 1}


def test_results_exceptions_and_tracebacks_are_those_without_it(tmp_path: Path) -> None:
    source = """
        import traceback
        from concurrent.futures import ThreadPoolExecutor, wait

        def fail(text):
            raise ValueError(text)

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(fail, "text")
            print(traceback.format_exception(future.exception())[1:])
            print(repr(pool.submit(next, iter([])).exception()))
            print(repr(pool.submit(3).exception()))
            print(repr(pool.submit(int, base=3).exception()))
            print(pool.submit(dict, fn=1, self=2).result())
            try:
                list(pool.map(fail, ["mapped"]))
            except ValueError as error:
                print(len(traceback.extract_tb(error.__traceback__)) > 1, error)
        """
    ending, calls = reported(tmp_path, source)
    without = run_programme(tmp_path, BY_TREADLE, "script.py")

    assert ending.stdout == without.stdout
    assert "treadle/report" not in ending.stdout
    assert calls == {"__main__.fail": 2, "next": 1, "int": 1, "dict": 1}


def test_tasks_and_pools_look_as_they_do_without_it(tmp_path: Path) -> None:
    ending, calls = reported(
        tmp_path,
        """
        import functools, treadle

        def name(*args):
            return treadle.current_task().name

        def lines():
            yield from "ab"

        with treadle.ThreadPoolExecutor(2) as pool:
            print(pool.submit(name).result(), pool.submit(functools.partial(name, 1)).result())
            print(pool.submit(name, 1, 2, 3).result(), pool.submit(name, *range(9)).result())
            print(pool.submit(lambda: pool.submit(name).result()).result())
            print(list(pool.iterate(lines)), type(pool.map(name, [1])).__name__)
            print(pool.statistics().queue_wait, pool.statistics().longest_running)
        with treadle.ThreadPoolExecutor(2, histograms=True) as pool:
            pool.submit(name).result()
            print(pool.statistics().run_time.count)
        """,
    )
    assert ending.stdout.splitlines() == [
        "name partial",
        "name name",
        "name",
        "['a', 'b'] MapIterator",
        "None None",
        "1",
    ]
    assert calls == {"__main__.name": 7, "__main__.<lambda>": 1, "__main__.lines": 1}


def test_it_is_asked_for_once(tmp_path: Path) -> None:
    ending, _ = reported(
        tmp_path,
        """
        from treadle import report
        try:
            report.start()
        except RuntimeError as error:
            print(error)
        """,
    )
    assert ending.stdout == "calls are reported already\n"


def test_calls_that_were_cancelled_are_not_counted(tmp_path: Path) -> None:
    ending, calls = reported(
        tmp_path,
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        go = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(go.wait)
            print(pool.submit(int).cancel())
            go.set()
        """,
    )
    assert ending.stdout == "True\n"
    assert calls == {"threading.Event.wait": 1}


def test_it_is_told_after_threads_and_exit_handlers_also_at_a_failure(tmp_path: Path) -> None:
    ending, calls = reported(
        tmp_path,
        """
        import atexit, sys
        from concurrent.futures import ThreadPoolExecutor

        def last(): pass
        pool = ThreadPoolExecutor(1)
        pool.submit(last)
        atexit.register(lambda: print("handler", file=sys.stderr))
        1 / 0
        """,
    )
    assert ending.status == 1
    assert calls == {"__main__.last": 1}
    traceback, _, rest = ending.stderr.partition("ZeroDivisionError: division by zero\n")
    assert traceback.startswith("Traceback")
    assert rest.startswith("handler\ntreadle: 1 task run\n")


def test_a_programme_without_tasks_has_a_short_report(tmp_path: Path) -> None:
    ending, calls = reported(tmp_path, "print('done')")

    assert ending == ("done\n", "treadle: 0 tasks run\n", 0)
    assert calls == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_does_not_report(tmp_path: Path) -> None:
    ending, _ = reported(
        tmp_path,
        """
        import os, sys
        process = os.fork()
        if not process:
            sys.exit(0)
        os.waitpid(process, 0)
        """,
    )
    assert ending.stderr == "treadle: 0 tasks run\n"


def test_only_the_busiest_functions_are_listed() -> None:
    measurements = Measurements()
    for number in range(100):
        measurements.add(f"function{number % 12}", wait=number / 1000, seconds=number % 12)

    told = list(measurements.lines())

    assert told[:2] == ["treadle: 100 tasks run", "wait in the queue: mean 49.5 ms, p99 98 ms"]
    assert told[4].split() == ["88", "s", "11", "s", "8", "function11"]
    assert told[-1] == "and 2 more"
    assert len(told) == 4 + 10 + 1


def test_functions_are_known_by_module_and_name() -> None:
    def inner() -> None: ...

    class Callable:
        def __call__(self) -> None: ...

    here = __name__
    function = "test_functions_are_known_by_module_and_name.<locals>"
    assert name_of(inner) == f"{here}.{function}.inner"
    assert name_of(functools.partial(functools.partial(inner))) == name_of(inner)
    assert name_of(functools.partial(copy_context().run, inner)) == name_of(inner)
    assert name_of(functools.partial(copy_context().run, functools.partial(inner))) == name_of(
        inner
    )
    assert name_of(Callable()) == f"{here}.{function}.Callable"
    assert name_of(len) == "len"
    assert name_of("x".upper) == "str.upper"
    assert name_of(os.path.join) == "posixpath.join"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 us"), (1.5e-6, "1.5 us"), (0.0123, "12.3 ms"), (1.0, "1 s"), (1234.0, "1234 s")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
