"""Refs: the only handle on an object that anybody ever holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.errors import UsageError
from vista.ids import Id
from vista.values import Reference

if TYPE_CHECKING:
    from vista.kernel.hot import RefMethod
    from vista.kernel.kernel import Kernel


class Ref(Reference):
    """A handle on an object, wherever it lives.

    ``ref.method(...)`` sends a message and waits for the result; ``ref.method.post(...)`` sends one
    way; ``ref.method.future(...)`` returns a `Future`. Refs are values: they may be sent, and two
    Refs of one object are equal. All names without a leading underscore are messages; use
    ``vista.id_of(ref)`` for the Id.

    A method's function is made at its first use and kept in the Ref's own dictionary: there Python
    finds it four times faster than through a descriptor.
    """

    __slots__ = ("__dict__", "__weakref__", "_record")

    _record: Any

    def __init__(self) -> None:
        raise UsageError("a Ref comes from vista.create, vista.ref_of or a message")

    @property
    def _id(self) -> Id:
        found: Id = self._record.id
        return found

    @property
    def _kernel(self) -> Kernel:
        found: Kernel = self._record.kernel
        return found

    def __reference_parts__(self) -> tuple[Any, ...]:
        return (self._id,)

    def __getattr__(self, name: str) -> RefMethod:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} is no message: names of messages have no underscore")
        method: RefMethod = self._kernel.bind(self, name)
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an object changes only by messages to it; a Ref has no variables")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an object changes only by messages to it; a Ref has no variables")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Ref) and other._record.key == self._record.key)

    def __hash__(self) -> int:
        return hash(self._record.key)

    def __dir__(self) -> list[str]:
        entry = self._record.entry
        return [] if entry is None else sorted(entry.methods)

    def __repr__(self) -> str:
        entry = self._record.entry
        return f"<{'object' if entry is None else entry.name} {self._record.id}>"

    def __copy__(self) -> Ref:
        return self

    def __deepcopy__(self, memo: Any) -> Ref:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Ref is not pickled: send it in a message, or keep str(vista.id_of(ref))")


_new = object.__new__
set_record = Ref.__dict__["_record"].__set__
"""set_record(ref, record) sets what a new Ref means, past the `__setattr__` that refuses."""


def make_ref(record: Any) -> Ref:
    """Return a new Ref to what ``record`` stands for.

    Three times as fast as an ``__init__`` would be, and `vista.create` makes one each time.
    """
    ref = _new(Ref)
    set_record(ref, record)
    return ref


def keep_call(ref: Ref, name: str, call: Callable[..., Any]) -> None:
    """Keep the function behind ``ref.name`` for its next use."""
    ref.__dict__[name] = call


def point(ref: Ref, record: Any) -> None:
    """Make ``ref`` mean ``record`` from now on, forgetting what it kept."""
    ref.__dict__.clear()
    set_record(ref, record)
