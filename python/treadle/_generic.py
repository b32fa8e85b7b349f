"""`typing.Generic` for type checkers; at run time a base that costs no import of `typing`."""

from __future__ import annotations

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from typing import Generic as Generic
else:
    import types

    class Generic:
        """Its subclasses can be subscribed, as in `Stream[int]`, and nothing comes of it."""

        __slots__ = ()
        __class_getitem__ = classmethod(types.GenericAlias)


__all__ = ["Generic"]
