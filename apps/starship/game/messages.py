"""What the servers of a game tell each other (design, section 13). All of it are values."""

from __future__ import annotations

from typing import NamedTuple

from apps.starship.rules.commands import Command
from apps.starship.rules.state import State
from apps.starship.rules.step import Delta, Structure

Unit = tuple[str, str]
"""An object and a group."""


class Snapshot(NamedTuple):
    """Primary to a joining server: the state that was committed last, and its hash."""

    epoch: int
    state: State
    hash: str


class StepBegin(NamedTuple):
    """Primary to a server: compute these units of step ``t``.

    ``epoch`` counts the times the primary began anew; ``hash`` is that of the state to start from.
    """

    epoch: int
    t: int
    orders: dict[str, tuple[Command, ...]]
    units: tuple[Unit, ...]
    hash: str


class StepUpdate(NamedTuple):
    """A server to the primary, and the primary to the others: results, sent as they come."""

    epoch: int
    t: int
    deltas: tuple[Delta, ...]


class Late(NamedTuple):
    """A server to the primary: so many results that are too late; they only count.

    Results come as `StepUpdate`. The primary makes this of those that come while a step is saved:
    nobody was told of the next one yet, and what waits is to be small.
    """

    epoch: int
    results: int


class StepDone(NamedTuple):
    """A server to the primary: all its units were sent; it was busy for so many microseconds.

    Which units these were the primary knows: it gave them.
    """

    epoch: int
    t: int
    busy_us: int


class StepCommit(NamedTuple):
    """Primary to all: step ``t`` is done. ``deferred`` are units that keep their old values."""

    epoch: int
    t: int
    deferred: tuple[Unit, ...]
    structure: Structure
    hash: str


class Ready(NamedTuple):
    """A server to the primary: after step ``t`` its state has this hash."""

    epoch: int
    t: int
    hash: str


class Refresh(NamedTuple):
    """A server to the primary: it cannot go on and asks for a snapshot."""

    epoch: int
    why: str


FromServer = StepUpdate | Late | StepDone | Ready | Refresh
"""What the primary hears of a server."""
