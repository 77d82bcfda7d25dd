"""Methods of object classes: the marks a class author puts on them and what a kernel keeps of each.

A message is the name of a method in snake_case. The original system's camelCase names are taken
as the same message: ``encodeObject`` is ``encode_object``.
"""

from __future__ import annotations

import functools
import inspect
import unicodedata
from collections.abc import Callable
from math import frexp, ldexp
from types import FunctionType
from typing import Any, TypeVar

from vista.errors import ClassDefinitionError

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

LIFECYCLE = frozenset({"create", "delete", "upgraded_from", "handle_unknown_message"})
"""Methods the runtime calls by itself; they are no messages."""

_FLAGS = "__vista_flags__"

_NO_TIME_SECONDS = 1e-9
"""What a call counts for that took no time at all, as calls do where time is simulated."""


def exclusive(method: AnyFunction) -> AnyFunction:
    """Mark a method that keeps its object also while it waits.

    Use it where an invariant spans a send. A call that comes back into the object from the
    method's own chain of calls fails at once with `DeadlockError`.

    >>> class Account(Object):
    ...     @exclusive
    ...     def transfer(self, other, amount): ...
    """
    return _mark(method, "exclusive")


def preemptable(method: AnyFunction) -> AnyFunction:
    """Mark a method that needs no exclusion: it runs beside any other thread of its object.

    Named after the original system's preemptable threads.
    """
    return _mark(method, "preemptable")


def native(method: AnyFunction) -> AnyFunction:
    """Mark a method that runs in a kernel thread: blocking libraries, work that frees the GIL.

    It keeps its object meanwhile, unless it is also `preemptable`. Inside it ``send`` blocks the
    kernel thread. It cannot be killed before it returns.
    """
    return _mark(method, "native")


def _mark(method: AnyFunction, flag: str) -> AnyFunction:
    flags: frozenset[str] = getattr(method, _FLAGS, frozenset()) | {flag}
    if {"exclusive", "preemptable"} <= flags:
        raise ClassDefinitionError(
            f"{getattr(method, '__qualname__', method)} cannot be both exclusive and preemptable"
        )
    if "native" in flags and inspect.iscoroutinefunction(method):
        raise ClassDefinitionError(f"{method.__qualname__} cannot be both async and native")
    setattr(method, _FLAGS, flags)
    return method


@functools.lru_cache(maxsize=4096)
def message_name(name: str) -> str:
    """Return the snake_case form of a message's name: ``addNotify`` becomes ``add_notify``."""
    if name.isascii() and name.islower():
        return name
    # Python keeps identifiers in this form, whatever form the sender's text had.
    name = unicodedata.normalize("NFKC", name)
    humps = zip(" " + name, name, strict=False)
    return "".join(
        _after(before) + letter if letter.isupper() else letter for before, letter in humps
    ).lower()


def _after(letter: str) -> str:
    return "_" if letter.islower() or letter.isdigit() else ""


def step_of(seconds: float) -> int:
    """Return the number of the step in which a time falls: four steps to each doubling.

    From a tenth of a microsecond to an hour there are 140 of them, so counts by step stay small;
    what is known of a time by its step is right to a quarter at worst.
    """
    mantissa, exponent = frexp(seconds or _NO_TIME_SECONDS)
    return 4 * exponent + int(8 * mantissa)


def end_of_step(step: int) -> float:
    """Return the seconds at which a step ends, as `step_of` numbers them."""
    exponent, quarter = divmod(step - 4, 4)
    return ldexp((quarter + 5) / 8, exponent)


class MethodEntry:
    """What a kernel keeps of one method of one class: how to run it, and its statistics.

    ``run(instance, *args, **kwargs)`` invokes it in a vista thread whatever its kind. ``calls``
    counts every invocation; ``timed_calls``, ``timed_seconds`` and ``longest_seconds`` are of those
    the clock was read for (see ``vista.statistics``), and so is ``spread``, which counts them by
    `step_of` their seconds. ``forwards`` is True for one that hands the message to a meta object.
    """

    __slots__ = (
        "calls",
        "class_name",
        "exclusive",
        "forwards",
        "function",
        "is_async",
        "longest_seconds",
        "name",
        "native",
        "preemptable",
        "run",
        "spread",
        "timed_calls",
        "timed_seconds",
    )

    def __init__(
        self, name: str, function: Callable[..., Any], run: Callable[..., Any], class_name: str
    ) -> None:
        flags: frozenset[str] = getattr(function, _FLAGS, frozenset())
        self.name = name
        self.function = function
        self.run = run
        self.class_name = class_name
        self.exclusive = "exclusive" in flags
        self.preemptable = "preemptable" in flags
        self.native = "native" in flags
        self.is_async = inspect.iscoroutinefunction(function)
        self.forwards = False
        self.calls = 0
        self.timed_calls = 0
        self.timed_seconds = 0.0
        self.longest_seconds = 0.0
        self.spread: dict[int, int] = {}

    @property
    def doc(self) -> str:
        """The method's docstring, which few ever ask for: a node has thousands of methods."""
        return inspect.getdoc(self.function) or ""

    @property
    def flags(self) -> tuple[str, ...]:
        """The marks on the method, in words."""
        names = ("exclusive", "preemptable", "native")
        marks = tuple(name for name in names if getattr(self, name))
        return (*marks, "async") if self.is_async else marks

    @property
    def signature(self) -> inspect.Signature:
        """The method's signature without ``self``, its annotations as they are written."""
        full = inspect.signature(self.function)
        parameters = [
            parameter.replace(annotation=_as_written(parameter.annotation))
            for parameter in list(full.parameters.values())[1:]
        ]
        returned = _as_written(full.return_annotation)
        return full.replace(parameters=parameters, return_annotation=returned)

    def note_seconds(self, seconds: float) -> None:
        """Count one timed invocation."""
        self.timed_calls += 1
        self.timed_seconds += seconds
        if seconds > self.longest_seconds:
            self.longest_seconds = seconds
        # What `step_of` does, written out: 0.2 us more, once in 16 to 64 calls.
        mantissa, exponent = frexp(seconds or _NO_TIME_SECONDS)
        step = 4 * exponent + int(8 * mantissa)
        spread = self.spread
        spread[step] = spread.get(step, 0) + 1

    def __repr__(self) -> str:
        return f"{self.class_name}.{self.name}"


class _Annotation(str):
    """An annotation that is kept as text, shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _as_written(annotation: Any) -> Any:
    return _Annotation(annotation) if isinstance(annotation, str) else annotation


def functions_of(cls: type) -> dict[str, FunctionType]:
    """Return the plain functions of a class by message name, base classes included.

    Names with a leading underscore are left out. Raises `ClassDefinitionError` when two methods
    of one class body are the same message, or when a hook such as ``create`` is no function.
    """
    found: dict[str, FunctionType] = {}
    for base in reversed(cls.__mro__):
        own: dict[str, str] = {}
        for name, function in vars(base).items():
            if name.startswith("_"):
                continue
            message = message_name(name)
            if not isinstance(function, FunctionType):
                if message in LIFECYCLE:
                    raise ClassDefinitionError(f"{base.__qualname__}: {name} must be a function")
                found.pop(message, None)
                continue
            if message in own:
                raise ClassDefinitionError(
                    f"{base.__qualname__}: {own[message]} and {name} are the same message"
                )
            own[message] = name
            found[message] = function
    return found
