"""The extension module: native futures, executors and waiting."""

import concurrent.futures
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar, final

from typing_extensions import ParamSpec, Self

T = TypeVar("T")
P = ParamSpec("P")

class Future(concurrent.futures.Future[T]):
    def __init__(self) -> None: ...
    def __await__(self) -> Generator[Any, None, T]: ...
