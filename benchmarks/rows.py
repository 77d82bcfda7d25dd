"""The rows of the table: what is measured, beside what, and what it must reach."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from benchmarks import children, local, references, start, variants
from benchmarks.erlang import subject as erlang
from benchmarks.measure import (
    BYTES,
    MICROSECONDS,
    MILLISECONDS,
    Row,
    Subject,
    at_most,
    per_second,
    times_faster,
    times_the_time,
)
from vista import Limits, Node, Ref


class World:
    """The node on which the rows run, with the object whose thread measures."""

    def __init__(self) -> None:
        # The measuring method holds the loop by intention; the watchdog has nothing to say here.
        limits = Limits(slow_method_seconds=60.0)
        self.node = Node("benchmarks", limits=limits).start()
        self.driver: Ref = self.node.call(_make_driver)

    def close(self) -> None:
        """Stop the node."""
        self.node.stop()

    def inside(self, function: Callable[[int], float], name: str) -> Subject:
        """Return a subject that runs ``function`` in a vista thread of the driver."""
        module: str = function.__module__

        def run(count: int) -> float:
            seconds: float = self.driver.run(module, function.__name__, count)
            return seconds

        return Subject(name, run)
