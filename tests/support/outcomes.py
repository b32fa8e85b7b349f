"""Comparing what calls do, errors and their texts included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def without_addresses(text: str) -> str:
    return ADDRESS.sub("0x", text)


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """What the call gave or raised, comparable between two libraries."""
    try:
        return "gave", function(*args, **kwargs)
    except BaseException as error:
        return "raised", type(error), without_addresses(str(error))
