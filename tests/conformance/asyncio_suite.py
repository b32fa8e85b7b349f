"""Run CPython's own tests of asyncio that use executors, with a module's classes in place.

    python asyncio_suite.py MODULE

MODULE must offer `ThreadPoolExecutor` and `Future`.  The tests are those that the running
interpreter ships.  Last line: 'N passed, N failed, N skipped'.  Exit 0 when nothing failed, 1 when
something did, 3 when this interpreter ships no such tests.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures._base
import concurrent.futures.thread
import faulthandler
import importlib
import sys
import unittest

NAMES = [
    "test_base_events",
    "test_events",
    "test_futures",
    "test_tasks.RunCoroutineThreadsafeTests",
    "test_threads",
]
LIMIT = 120.0  # seconds that one test may take


def substitute(name: str) -> None:
    """Put the module's two classes where the standard library's stand."""
    module = importlib.import_module(name)
    future, pool = module.Future, module.ThreadPoolExecutor
    concurrent.futures.Future = concurrent.futures._base.Future = future
    concurrent.futures.ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor = pool


class Watched(unittest.TextTestResult):
    """A test that hangs ends the run with every thread's stack."""

    def startTest(self, test: unittest.TestCase) -> None:
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)


def main() -> int:
    substitute(sys.argv[1])
    try:
        import test.test_asyncio  # noqa: F401
        from test import support
    except ImportError:
        print("this interpreter ships no tests of asyncio")
        return 3
    support.use_resources = ["walltime", "cpu"]
    tests = unittest.defaultTestLoader.loadTestsFromNames(
        [f"test.test_asyncio.{name}" for name in NAMES]
    )
    result = unittest.TextTestRunner(resultclass=Watched).run(tests)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
