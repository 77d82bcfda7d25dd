"""Measuring: subjects run in turn, round after round, and ratios taken within each round.

A shared machine changes its speed from second to second. So a row runs its subject and its
references close together, in alternating order, and compares only what ran in the same round;
the table shows the median of those ratios and their quartiles.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


class NothingMeasuredError(Exception):
    """A benchmark did not do the work whose time it took."""


def expect(found: object, expected: object) -> None:
    """Check the result of measured work. Raises `NothingMeasuredError`; runs also under ``-O``."""
    if found != expected:
        raise NothingMeasuredError(f"expected {expected!r}, found {found!r}")


@dataclass(frozen=True)
class Unit:
    """What a row's figures are: ``factor`` takes one to the unit shown, as 1e9 seconds to ns.

    Of a rate it is what one operation counts: its figures are seconds too, and shown by how much
    is done in one.
    """

    name: str
    factor: float
    is_rate: bool = False

    def shown(self, figure: float) -> float:
        """Return a figure as the table shows it."""
        return self.factor / figure if self.is_rate else figure * self.factor


NANOSECONDS = Unit("ns", 1e9)
MICROSECONDS = Unit("us", 1e6)
MILLISECONDS = Unit("ms", 1e3)
BYTES = Unit("B", 1.0)
THOUSANDS_A_SECOND = Unit("k/s", 1e-3, is_rate=True)
MEBIBYTES = Unit("GB/s", 2**20 / 1e9, is_rate=True)
"""Of operations that carry 1 MiB each."""


@dataclass(frozen=True)
class Subject:
    """Something that is measured: ``run(count)`` does it ``count`` times and returns one figure.

    The figure is seconds for one operation, or bytes for one object.
    """

    name: str
    run: Callable[[int], float]


@dataclass(frozen=True)
class Target:
    """What a row must reach: at least ``bound`` of ``words``, or at most, as ``is_minimum`` says.

    ``measure`` takes the row's result and returns the figure that is held against ``bound``.
    """

    words: str
    measure: Callable[[Result], float]
    bound: float
    is_minimum: bool

    def is_met(self, result: Result) -> bool:
        """Whether the medians of a result reach it."""
        figure = self.measure(result)
        return figure >= self.bound if self.is_minimum else figure <= self.bound


def times_faster(bound: float) -> Target:
    """``bound`` times as fast as the reference."""
    return Target(f"{bound:g} x the reference", lambda result: result.speed[1], bound, True)


def times_the_time(bound: float) -> Target:
    """At most ``bound`` times the time of the reference."""
    words = f"at most {bound:g} x its time"
    return Target(words, lambda result: 1 / result.speed[1], bound, False)


def at_most(bound: float, unit: Unit) -> Target:
    """At most ``bound``, counted in ``unit``."""
    words = f"at most {bound:g} {unit.name}"
    return Target(words, lambda result: unit.shown(result.ours_median), bound, False)


def at_least(bound: float, unit: Unit) -> Target:
    """At least ``bound``, counted in ``unit``, which is a rate."""
    words = f"at least {bound:g} {unit.name}"
    return Target(words, lambda result: unit.shown(result.ours_median), bound, True)


def per_second(bound: float) -> Target:
    """At least ``bound`` operations a second."""
    words = f"{bound / 1000:g} k/s"
    return Target(words, lambda result: 1 / result.ours_median, bound, True)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``count`` is how often a full run does it in each of ``rounds``; ``quick`` for a short run, and
    ``least`` is the smallest count that still does the whole work; ``erlang`` is it in Erlang.
    ``group`` is the table it stands in.
    """

    name: str
    ours: Subject
    reference: Subject | None = None
    erlang: Subject | None = None
    targets: tuple[Target, ...] = ()
    unit: Unit = NANOSECONDS
    count: int = 10_000
    quick: int = 1_000
    least: int = 1
    rounds: int = 9
    group: str = "local"


@dataclass
class Result:
    """The figures of one row, one of each subject a round."""

    row: Row
    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    erlang: list[float] = field(default_factory=list)

    @property
    def ours_median(self) -> float:
        """The median of our figures."""
        return statistics.median(self.ours)

    @property
    def speed(self) -> tuple[float, float, float]:
        """Reference by ours: lower quartile, median and upper quartile of the rounds' ratios."""
        return quartiles(self.reference, self.ours)

    @property
    def erlang_speed(self) -> tuple[float, float, float]:
        """Erlang by ours, as `speed`."""
        return quartiles(self.erlang, self.ours)

    @property
    def is_met(self) -> bool:
        """Whether every target of the row is met."""
        return all(target.is_met(self) for target in self.row.targets)


def quartiles(above: list[float], below: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile of the ratios of figures of one round."""
    ratios = [one / other for one, other in zip(above, below, strict=True)]
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, median, high


def measure(row: Row, count: int, rounds: int) -> Result:
    """Run the subjects of a row in turn, ``rounds`` times ``count`` operations each.

    What is there before is taken out of the sight of the garbage collector: a row does not pay for
    the objects of others.
    """
    result = Result(row)
    gc.collect()
    gc.freeze()
    subjects = [(row.ours, result.ours)]
    if row.reference is not None:
        subjects.append((row.reference, result.reference))
    if row.erlang is not None:
        subjects.append((row.erlang, result.erlang))
    for number in range(rounds):
        # Every other round backwards: who runs first finds a cooler machine, or a colder cache.
        for subject, figures in subjects if number % 2 == 0 else reversed(subjects):
            gc.collect()
            figures.append(subject.run(count))
    return result
