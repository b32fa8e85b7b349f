"""A Future as an object: its repr, its copies, and classes made from it."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.outcomes import outcome, without_addresses
from support.references import eventually_dead
from support.waiting import LIMIT

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


@pytest.fixture
def future(future_type: type[Future[Any]]) -> Future[Any]:
    return future_type()


def test_the_repr_names_class_address_and_state(future: Future[Any]) -> None:
    assert repr(future) == f"<Future at {id(future):#x} state=pending>"
    future.set_running_or_notify_cancel()
    assert repr(future) == f"<Future at {id(future):#x} state=running>"
    assert str(future) == repr(future)


def test_the_repr_of_a_cancelled_future_says_cancelled_twice(future: Future[Any]) -> None:
    future.cancel()
    assert without_addresses(repr(future)) == "<Future at 0x state=cancelled>"
    future.set_running_or_notify_cancel()
    assert without_addresses(repr(future)) == "<Future at 0x state=cancelled>"


@pytest.mark.parametrize("result", [1, None, "x", [], int])
def test_the_repr_of_a_finished_future_names_the_type_of_the_result(
    future: Future[Any], result: Any
) -> None:
    future.set_result(result)
    name = type(result).__name__
    assert without_addresses(repr(future)) == f"<Future at 0x state=finished returned {name}>"


def test_the_repr_of_a_failed_future_names_the_type_of_the_exception(
    future: Future[Any],
) -> None:
    class Local(Exception):
        """Its qualified name is longer than its name."""

    future.set_exception(Local("text"))
    assert without_addresses(repr(future)) == "<Future at 0x state=finished raised Local>"


def test_the_repr_names_the_subclass(future_type: type[Future[Any]]) -> None:
    class Promise(future_type):  # type: ignore[misc,valid-type]
        """A future of another name."""

    assert re.fullmatch(r"<Promise at 0x[0-9a-f]+ state=pending>", repr(Promise()))


def test_a_copy_is_a_future_in_the_same_state(future: Future[Any]) -> None:
    pending = copy.copy(future)
    assert type(pending) is type(future)
    assert pending is not future
    assert not pending.done()
    future.set_result("copied")
    assert copy.copy(future).result(0) == "copied"
    future.extra = "attribute"  # type: ignore[attr-defined]
    assert copy.copy(future).extra == "attribute"  # type: ignore[attr-defined]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_future_cannot_be_pickled(future: Future[Any], protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(future, protocol)


def test_a_future_cannot_be_copied_deeply(future: Future[Any]) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.deepcopy(future)


def test_a_future_takes_attributes(future: Future[Any]) -> None:
    future.note = "mine"  # type: ignore[attr-defined]
    assert vars(future)["note"] == "mine"
    del future.note  # type: ignore[attr-defined]
    assert not hasattr(future, "note")
    assert outcome(getattr, future, "note")[1] is AttributeError


def test_a_subclass_has_its_own_initialiser_attributes_and_methods(
    future_type: type[Future[Any]],
) -> None:
    class Named(future_type):  # type: ignore[misc,valid-type]
        """A future with a name."""

        def __init__(self, name: str, *, size: int = 1) -> None:
            super().__init__()
            self.name = name
            self.size = size

        def result(self, timeout: float | None = None) -> Any:
            return self.name, super().result(timeout)

    future = Named("first", size=3)
    future.set_result(4)
    assert (future.name, future.size) == ("first", 3)
    assert future.result(0) == ("first", 4)
    assert isinstance(future, future_type)


def test_a_subclass_need_not_call_the_initialiser_for_the_native_state(
    future_type: type[Future[Any]],
) -> None:
    class WithSlots(future_type):  # type: ignore[misc,valid-type]
        """A subclass with slots."""

        __slots__ = ("extra",)

    future = WithSlots()
    future.extra = 1
    future.set_result(2)
    assert (future.extra, future.result()) == (1, 2)


def test_a_subclass_may_have_a_finalizer(future_type: type[Future[Any]]) -> None:
    ends: list[tuple[str, Any]] = []

    class Last(future_type):  # type: ignore[misc,valid-type]
        """A future that says goodbye."""

        def __del__(self) -> None:
            ends.append(("gone", self.result(0)))

    future = Last()
    future.set_result(1)
    reference = weakref.ref(future)
    del future
    assert eventually_dead(reference)
    assert ends == [("gone", 1)]


def test_a_finalizer_may_bring_its_future_back(future_type: type[Future[Any]]) -> None:
    saved: list[Any] = []

    class Lazarus(future_type):  # type: ignore[misc,valid-type]
        """A future that saves itself once."""

        def __del__(self) -> None:
            saved.append(self)

    future = Lazarus()
    future.set_result([1, 2])
    future.extra = "kept"
    del future
    gc.collect()
    assert saved[0].result() == [1, 2]
    assert saved[0].extra == "kept"
    assert not saved[0].cancel()
    saved.clear()
    gc.collect()
    assert saved == []


def test_a_subclass_may_mix_in_other_classes(future_type: type[Future[Any]]) -> None:
    class Mixin:
        """Adds a method."""

        def doubled(self) -> Any:
            return 2 * self.result(0)  # type: ignore[attr-defined]

    class Mixed(Mixin, future_type):  # type: ignore[misc,valid-type]
        """A future with the method."""

    future = Mixed()
    future.set_result(21)
    assert future.doubled() == 42


def test_a_weak_reference_is_called_back(future_type: type[Future[Any]]) -> None:
    gone: list[Any] = []
    future = future_type()
    reference = weakref.ref(future, gone.append)
    dictionary = weakref.WeakKeyDictionary({future: 1})
    del future
    assert eventually_dead(reference)
    assert gone == [reference]
    assert len(dictionary) == 0


def test_a_task_future_is_of_the_library_s_class(
    executor: ThreadPoolExecutor, future_type: type[Future[Any]]
) -> None:
    future = executor.submit(int)
    assert type(future) is future_type
    future.note = "kept"  # type: ignore[attr-defined]
    assert future.result(LIMIT) == 0
    assert future.note == "kept"  # type: ignore[attr-defined]
