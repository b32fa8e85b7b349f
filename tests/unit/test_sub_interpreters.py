"""Sub-interpreters: the package works there, or says clearly that it does not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ours

TRY = """
import sys
sys.path[:] = {path!r}
try:
    import treadle
except ImportError as error:
    text = str(error)
    assert "interpreter" in text.lower(), text
    print("refused", flush=True)
else:
    with treadle.ThreadPoolExecutor(2) as pool:
        assert pool.submit(pow, 2, 5).result(20) == 32
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
    print("works", flush=True)
"""

RUN = """
source = sys.argv[1].format(path=sys.path)
if sys.version_info >= (3, 13):
    import _interpreters
    identity = _interpreters.create(*sys.argv[2:])
    failure = _interpreters.run_string(identity, source)
    assert failure is None, failure
    _interpreters.destroy(identity)
else:
    import _xxsubinterpreters
    identity = _xxsubinterpreters.create()
    _xxsubinterpreters.run_string(identity, source)
    _xxsubinterpreters.destroy(identity)
with ThreadPoolExecutor(2) as pool:
    assert pool.submit(pow, 2, 6).result(20) == 64
print("still works")
"""

kinds = [[]] if sys.version_info < (3, 13) else [["isolated"], ["legacy"]]


@pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind[0] if kind else "default")
def test_an_import_in_a_sub_interpreter_works_or_is_refused_clearly(
    run_child: Callable[..., str], kind: list[str]
) -> None:
    first, second = run_child(RUN, TRY, *kind).splitlines()
    assert first in ("works", "refused")
    assert second == "still works"


def test_an_import_in_a_sub_interpreter_does_not_need_the_main_one_s(
    run_child: Callable[..., str],
) -> None:
    late = RUN.replace("with ThreadPoolExecutor", "from treadle import *\nwith ThreadPoolExecutor")
    output = run_child("del Future, ThreadPoolExecutor\n" + late, TRY)
    assert output.splitlines()[1] == "still works"
