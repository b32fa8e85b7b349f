"""`__main__` under `python -m treadle`, as others find it: pickles, source, child processes."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from support.programmes import same_ending, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ours

LOOKS = {
    "pickle": """
        import pickle
        class Thing:
            pass
        def function():
            pass
        print(pickle.dumps((Thing, function)))
        print(pickle.loads(pickle.dumps(Thing)) is Thing, type(pickle.loads(pickle.dumps(Thing()))))
    """,
    "source": """
        import inspect, sys
        def function():
            '''Documented.'''
        class Thing:
            x = 1
        print(inspect.getsource(function), inspect.getsource(Thing))
        print(inspect.getsourcefile(function) == __file__, inspect.getmodule(function))
        print(inspect.getsource(sys.modules["__main__"]))
    """,
    "import of itself": """
        import __main__, sys
        value = 1
        print(__main__.value, __main__.__dict__ is globals(), __name__, __spec__)
    """,
    "types": """
        import dataclasses, enum, typing
        @dataclasses.dataclass
        class Point:
            x: "int"
        print(Point(1), typing.get_type_hints(Point))
        class Colour(enum.Enum):
            RED = 1
        print(repr(Colour.RED), Point)
    """,
    "annotations": """
        value: int = 1
        if __import__("sys").version_info < (3, 14):
            print(__annotations__)
    """,
    "doctest": """
        import doctest
        def double(x):
            '''
            >>> double(2)
            4
            '''
            return 2 * x
        print(doctest.testmod())
    """,
    "unittest": """
        import io, unittest
        class Case(unittest.TestCase):
            def test(self):
                print(self.id())
        runner = unittest.TextTestRunner(io.StringIO())
        unittest.main(exit=False, argv=["x"], testRunner=runner)
    """,
    "argparse": """
        import argparse
        argparse.ArgumentParser(description="x").parse_args(["--help"])
    """,
    "logging": """
        import logging
        logging.basicConfig(format="%(filename)s %(lineno)d %(funcName)s %(message)s")
        logging.warning("hello")
        try:
            1 / 0
        except ArithmeticError:
            logging.exception("failed")
    """,
    "input": "print(input(), input('prompt'))",
    "runpy": """
        import runpy, sys
        if "again" not in sys.argv:
            sys.argv.append("again")
            print(sorted(runpy.run_path(__file__, run_name="other"))[-1])
        print(__name__)
    """,
    "a subprocess": """
        import subprocess, sys
        code = "import sys; print('treadle' in sys.modules)"
        print(subprocess.check_output([sys.executable, "-c", code]))
    """,
    "threads and futures": """
        from concurrent.futures import ThreadPoolExecutor, as_completed, wait
        class Pool(ThreadPoolExecutor):
            def submit(self, fn, *args, **kwargs):
                return super().submit(fn, *args, **kwargs)
        with Pool(2, "name") as pool:
            print(sorted(pool.map(abs, range(-3, 3))), isinstance(pool, ThreadPoolExecutor))
            print(sorted(future.result() for future in as_completed([pool.submit(pow, 2, 5)])))
            print(type(pool.submit(int, "x").exception()))
    """,
}

CHILDREN = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor

print(__name__.replace("__mp_main__", "child"), sys.argv[1:], flush=True)

class Thing:
    def __init__(self, value):
        self.value = value

def work(thing):
    main = sys.modules["__main__"]
    return thing.value, os.path.basename(main.__file__), getattr(main.__spec__, "name", None)

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        print(pool.submit(work, Thing(3)).result())
    process = context.Process(target=work, args=(Thing(4),))
    process.start()
    process.join()
    print(process.exitcode)
"""

methods = pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())


@pytest.mark.parametrize("source", LOOKS.values(), ids=LOOKS.keys())
def test_the_main_module_is_the_programme(tmp_path: Path, source: str) -> None:
    same_ending(tmp_path, write(tmp_path, "script.py", source), given="one\ntwo\n")


@pytest.mark.slow
@methods
def test_child_processes_find_the_script(tmp_path: Path, method: str) -> None:
    write(tmp_path, "folder/script.py", CHILDREN.format(method=method))

    ending = same_ending(tmp_path, "folder/script.py", "x")

    assert "(3, 'script.py', None)" in ending.stdout
    assert ending.status == 0


@pytest.mark.slow
@methods
def test_child_processes_find_the_module(tmp_path: Path, method: str) -> None:
    write(tmp_path, "package/module.py", CHILDREN.format(method=method))
    write(tmp_path, "package/__init__.py", "")

    assert "(3, 'module.py'" in same_ending(tmp_path, "-m", "package.module").stdout


@pytest.mark.slow
def test_spawned_processes_of_a_directory_find_its_modules(tmp_path: Path) -> None:
    write(tmp_path, "app/beside.py", "def work(value):\n    return value + 1")
    write(
        tmp_path,
        "app/__main__.py",
        """
        import beside, multiprocessing
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(beside.work, [1, 2]))
        """,
    )

    assert same_ending(tmp_path, "app").stdout == "[2, 3]\n"
