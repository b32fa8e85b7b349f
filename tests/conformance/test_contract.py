"""Nothing is missing: each signature and each attribute that the standard library has, ours has."""

from __future__ import annotations

import concurrent.futures
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

FUTURE_METHODS = [
    name
    for name, member in vars(concurrent.futures.Future).items()
    if inspect.isfunction(member) and not name.startswith("_")
]
EXECUTOR_METHODS = ["submit", "map", "shutdown"]

FUTURE_ATTRIBUTES = {
    "_condition",
    "_state",
    "_result",
    "_exception",
    "_waiters",
    "_done_callbacks",
    "_invoke_callbacks",
    "_get_snapshot",
    "_Future__get_result",
}
EXECUTOR_ATTRIBUTES = {
    "_max_workers",
    "_threads",
    "_work_queue",
    "_broken",
    "_shutdown",
    "_thread_name_prefix",
    "_initializer",
    "_initargs",
    "_shutdown_lock",
    "_idle_semaphore",
}


def accepts(signature: inspect.Signature, wanted: inspect.Signature) -> bool:
    """Whether each call that `wanted` describes fits `signature` too."""
    have = signature.parameters
    for name, parameter in wanted.parameters.items():
        kind = parameter.kind
        if kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if not any(other.kind is kind for other in have.values()):
                return False
        elif kind is parameter.POSITIONAL_ONLY or name == "self":
            continue  # its name is nobody's business; of a native method, self is positional only
        elif (
            name not in have
            or have[name].default != parameter.default
            or have[name].kind not in (kind, parameter.POSITIONAL_OR_KEYWORD)
        ):
            return False
    return True


@pytest.mark.parametrize("name", FUTURE_METHODS)
def test_each_public_method_of_a_future_takes_what_the_standard_one_takes(name: str) -> None:
    ours = getattr(treadle.Future, name)
    standard = getattr(concurrent.futures.Future, name)
    try:
        signature = inspect.signature(ours)
    except ValueError:
        pytest.fail(f"Future.{name} has no signature to look at")
    assert accepts(signature, inspect.signature(standard)), (signature, standard)
    assert inspect.getdoc(ours)


@pytest.mark.parametrize("name", EXECUTOR_METHODS)
def test_each_public_method_of_a_pool_takes_what_the_standard_one_takes(name: str) -> None:
    ours = getattr(treadle.ThreadPoolExecutor, name)
    standard = getattr(concurrent.futures.ThreadPoolExecutor, name)
    signature = inspect.signature(ours)
    assert accepts(signature, inspect.signature(standard)), (signature, standard)
    assert inspect.getdoc(ours)


def test_the_constructor_takes_what_the_standard_one_takes() -> None:
    names = list(inspect.signature(treadle.ThreadPoolExecutor).parameters)
    assert names[:4] == ["max_workers", "thread_name_prefix", "initializer", "initargs"]


@pytest.mark.parametrize("name", ["wait", "as_completed"])
def test_each_function_takes_what_the_standard_one_takes(name: str) -> None:
    ours = inspect.signature(getattr(treadle, name))
    standard = inspect.signature(getattr(concurrent.futures, name))
    assert list(ours.parameters) == list(standard.parameters)
    assert accepts(ours, standard)


def test_a_future_has_every_attribute_of_a_standard_one() -> None:
    future = treadle.Future[Any]()
    standard = set(dir(concurrent.futures.Future()))
    assert standard - set(dir(future)) == set()
    assert {name for name in FUTURE_ATTRIBUTES | standard if not hasattr(future, name)} == set()


def test_a_future_of_a_task_has_every_attribute_of_a_standard_one() -> None:
    with (
        concurrent.futures.ThreadPoolExecutor(1) as standard_pool,
        treadle.ThreadPoolExecutor(1) as pool,
    ):
        standard, future = standard_pool.submit(int), pool.submit(int)
        for one in (standard, future):
            assert one.result(LIMIT) == 0
    assert set(dir(standard)) - set(dir(future)) == set()


def test_a_pool_has_every_attribute_of_a_standard_one() -> None:
    left_out = {
        "_create_worker_context",  # 3.14's way to make sub-interpreters of threads
        "_resolve_work_item_task",
    }
    with (
        concurrent.futures.ThreadPoolExecutor(1) as standard_pool,
        treadle.ThreadPoolExecutor(1) as pool,
    ):
        standard = set(dir(standard_pool)) - left_out
        assert standard - set(dir(pool)) == set()
        wanted = EXECUTOR_ATTRIBUTES | standard
        assert {name for name in wanted if not hasattr(pool, name)} == set()


@pytest.mark.parametrize("name", ["_condition", "_waiters", "_done_callbacks"])
def test_a_live_attribute_is_the_same_object_each_time(name: str) -> None:
    future = treadle.Future[Any]()
    assert getattr(future, name) is getattr(future, name)


def test_the_classes_are_named_and_placed_for_users() -> None:
    assert treadle.Future.__name__ == "Future"
    assert treadle.Future.__module__.partition(".")[0] == "treadle"
    assert treadle.ThreadPoolExecutor.__name__ == "ThreadPoolExecutor"
    assert treadle.ThreadPoolExecutor.__qualname__ == "ThreadPoolExecutor"
    assert treadle.ThreadPoolExecutor.__module__.partition(".")[0] == "treadle"


def test_the_names_of_the_package_are_all_there() -> None:
    assert {name for name in treadle.__all__ if not hasattr(treadle, name)} == set()
    assert {"Future", "ThreadPoolExecutor", "as_completed", "wait"} <= set(treadle.__all__)
    for name in ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"):
        if name in treadle.__all__:
            assert getattr(treadle, name) == getattr(concurrent.futures, name)


@pytest.mark.parametrize("name", ["cancel", "cancelled", "running", "done"])
def test_methods_without_arguments_take_none(
    make_executor: Callable[..., ThreadPoolExecutor], name: str
) -> None:
    future = make_executor(1).submit(int)
    assert future.result(LIMIT) == 0
    with pytest.raises(TypeError):
        getattr(future, name)(1)
    with pytest.raises(TypeError):
        getattr(future, name)(key=1)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [("set_result", "result"), ("set_exception", "exception"), ("add_done_callback", "fn")],
)
def test_the_argument_of_a_setter_may_be_a_keyword(
    future_type: type[Any], name: str, keyword: str
) -> None:
    getattr(future_type(), name)(**{keyword: None})
    with pytest.raises(TypeError):
        getattr(future_type(), name)()
    with pytest.raises(TypeError):
        getattr(future_type(), name)(wrong=None)
    with pytest.raises(TypeError):
        getattr(future_type(), name)(None, None)
