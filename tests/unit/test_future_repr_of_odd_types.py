"""A future's repr shows whatever name the type of its outcome gives itself."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import pytest

import treadle
from support.outcomes import outcome, without_addresses

if TYPE_CHECKING:
    from concurrent.futures import Future


class Loud(str):
    """A string with a text of its own."""

    def __str__(self) -> str:
        return "LOUD"


class Mute:
    """A name that cannot be told."""

    def __repr__(self) -> str:
        message = "mute"
        raise ArithmeticError(message)


NAMES = [5, -1, None, 1.5, ("a", "b"), (), [], b"bytes", "ö\N{SNOWMAN}\0", Loud("quiet"), Mute()]

each_name = pytest.mark.parametrize("name", NAMES, ids=lambda name: type(name).__name__)


def odd_type(name: Any, base: type = object) -> Any:
    """A type whose name is `name`, or raises it."""

    class Meta(type(base)):  # type: ignore[misc]
        """A metaclass with its own idea of names."""

        @property
        def __name__(cls) -> Any:
            if isinstance(name, Exception):
                raise name
            return name

    return Meta("Odd", (base,), {})


def repr_of(future: Future[Any]) -> tuple[Any, ...]:
    return outcome(lambda: without_addresses(repr(future)))


@each_name
def test_a_result_of_an_oddly_named_type(name: Any) -> None:
    futures: list[Future[Any]] = [treadle.Future(), concurrent.futures.Future()]
    for future in futures:
        future.set_result(odd_type(name)())
    ours, standard = map(repr_of, futures)
    assert ours == standard


@each_name
def test_an_exception_of_an_oddly_named_type(name: Any) -> None:
    futures: list[Future[Any]] = [treadle.Future(), concurrent.futures.Future()]
    for future in futures:
        future.set_exception(odd_type(name, Exception)())
    ours, standard = map(repr_of, futures)
    assert ours == standard


@pytest.mark.parametrize("error", [ValueError("no name"), AttributeError("no name")])
def test_a_type_that_refuses_to_give_its_name(error: Exception) -> None:
    futures: list[Future[Any]] = [treadle.Future(), concurrent.futures.Future()]
    for future in futures:
        future.set_result(odd_type(error)())
    ours, standard = map(repr_of, futures)
    assert ours == standard == ("raised", type(error), "no name")


def test_the_texts_are_those_names(future_type: type[Future[Any]]) -> None:
    future = future_type()
    future.set_result(odd_type(5)())
    assert repr(future).endswith(" state=finished returned 5>")
    future = future_type()
    future.set_exception(odd_type(("a", 1), Exception)())
    assert repr(future).endswith(" state=finished raised ('a', 1)>")
