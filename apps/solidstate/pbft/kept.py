"""What is worked out of a record when it is first asked for, and kept with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """``functools.cached_property`` without its lock, which takes longer than a digest."""

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, record: None, owner: type) -> Kept[Value]: ...

    @overload
    def __get__(self, record: object, owner: type) -> Value: ...

    def __get__(self, record: object | None, owner: type) -> Kept[Value] | Value:
        if record is None:
            return self
        # What a record has itself is found before this, so nobody comes here again.
        value = record.__dict__[self._name] = self._make(record)
        return value
