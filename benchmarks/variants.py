"""What a part of the hot path costs: the same code without it, measured beside it.

The variant is made from the source of the function itself, so it is the same but for the lines left
out, whatever becomes of the function.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from time import perf_counter
from typing import Any

import vista
from benchmarks.measure import NothingMeasuredError, expect
from benchmarks.objects import Counter
from vista.kernel.hot import RefMethod

STATISTICS = "method.calls += 1"
"""The line of the hot path that counts an invocation."""


def without(function: Callable[..., Any], line: str) -> Callable[..., Any]:
    """Return a function like ``function`` but without the one line of its source that is ``line``.

    Raises `NothingMeasuredError` when its source has no such line or several.
    """
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    kept = [text for text in lines if text.strip() != line]
    if len(lines) - len(kept) != 1:
        raise NothingMeasuredError(f"{function.__qualname__} has not just one line {line!r}")
    space: dict[str, Any] = {}
    # Run in a copy of the module's names: a function that has other globals runs no slower.
    exec(compile("\n".join(kept), inspect.getsourcefile(function) or "", "exec"),
         {**function.__globals__}, space)  # fmt: skip
    made: Callable[..., Any] = space[function.__name__]
    return made


class Uncounted(RefMethod):
    """The method of a Ref whose calls are not counted."""

    __slots__ = ()

    __call__ = without(RefMethod.__call__, STATISTICS)


def call_counted(count: int) -> float:
    """Calls that statistics count."""
    return _calls(RefMethod, count)


def call_uncounted(count: int) -> float:
    """Calls that they do not count."""
    return _calls(Uncounted, count)


def _calls(kind: type[RefMethod], count: int) -> float:
    ref = vista.create(Counter)
    record: Any = ref._record
    increment = kind(record, record.entry.methods["increment"])
    started = perf_counter()
    for _ in range(count):
        increment(1)
    seconds = perf_counter() - started
    expect(ref.increment(0), count)
    return seconds / count
