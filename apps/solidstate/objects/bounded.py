"""Executing a method within bounds that are the same everywhere.

Time is not the same everywhere, so what counts is executed lines of the class's own modules, and
how deep their functions call one another. What libraries execute does not count: their caches make
it another number in each process. Python's trace function counts; it costs 2.6 us for a method of
five lines and makes long loops ten times slower, measured on the 2-core test machine, of about
100 us that a request takes in all. The road not taken is to weave a counter into loops, which
needs the source of the class; Python 3.12 could count branches for less (PEP 669).

The same function sees which other functions are called, so it refuses those that send.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import vista
from apps.solidstate.errors import EndlessMethodError, OutsideCallError

LINES_MAX = 1_000_000
"""Lines of one call: about half a second of computing while they are counted."""

DEPTH_MAX = 150
"""Functions of the class's modules that call one another: Python stops at 1,000 frames, but how
many there were before is not the same everywhere."""

_VISTA = Path(vista.__file__).parent
_SENDING = frozenset(str(_VISTA / name) for name in ("api.py", "aio.py", "kernel/hot.py"))
"""Modules through which messages are sent; the collector of garbage calls none of them."""

_REFS = str(_VISTA / "kernel/refs.py")


class _Stop(BaseException):
    """Ends a method whatever it catches; the error says why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Counter:
    """The trace function of one call: ``own`` are the files whose lines count."""

    __slots__ = ("depth", "failed", "left", "lines_max", "name", "own")

    def __init__(self, name: str, own: frozenset[str], lines_max: int) -> None:
        self.name = name
        self.own = own
        self.left = self.lines_max = lines_max
        self.depth = 0
        self.failed: Exception | None = None

    def called(self, frame: FrameType, event: str, argument: object) -> Any:
        """Take note of a function that is called; returns what its lines are told."""
        file = frame.f_code.co_filename
        if file in self.own:
            self.depth += 1
            if self.depth > DEPTH_MAX:
                self._stop(EndlessMethodError(f"{self.name} calls itself {DEPTH_MAX} deep"))
            return self.executed
        name = frame.f_code.co_name
        if file in _SENDING or (file == _REFS and name == "__getattr__"):
            self._stop(
                OutsideCallError(
                    f"{self.name} sends while it is executed (vista's {name}), which each replica "
                    f"would do; self.outbox.post sends once it is agreed"
                )
            )
        return None

    def executed(self, frame: FrameType, event: str, argument: object) -> Any:
        """Count a line."""
        if event == "line":
            self.left -= 1
            if self.left < 0:
                self._stop(EndlessMethodError(f"{self.name} took more than {self.lines_max} lines"))
        elif event == "return":
            self.depth -= 1
        return self.executed

    def _stop(self, error: Exception) -> None:
        # What the method catches does not help it: the answer is this error.
        self.failed = error
        raise _Stop(error)


class Meter:
    """Counts the ``lines`` of all calls that are given it."""

    def __init__(self) -> None:
        self.lines = 0

    def read(self) -> int:
        """Return how many lines there were so far."""
        return self.lines


def call_bounded(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    own: frozenset[str],
    lines_max: int = LINES_MAX,
    meter: Meter | None = None,
) -> Any:
    """Call a function and return its result, or raise what it raises.

    ``name`` is what errors call it; ``own`` are the files whose lines count, in ``meter`` as well.
    Raises `EndlessMethodError` past the bounds, `OutsideCallError` when it uses vista's functions
    and `vista.RemoteFailure` where it raises SystemExit.
    """
    counter = _Counter(name, own, lines_max)
    before = sys.gettrace()
    sys.settrace(counter.called)
    try:
        result = function(*args, **kwargs)
    except _Stop as stop:
        raise stop.error from None
    except SystemExit as leaving:
        # As where any object's method raises it: no method ends its node.
        raise vista.RemoteFailure(f"SystemExit: {leaving}") from None
    finally:
        sys.settrace(before)
        if meter is not None:
            meter.lines += lines_max - counter.left
    if counter.failed is not None:
        raise counter.failed
    return result
