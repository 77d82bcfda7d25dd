"""What happens to the primary of a game, and what it wants done: events and effects.

`Conductor.handle` takes one event and returns effects, which are carried out in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.starship.game.messages import (
    FromServer,
    Snapshot,
    StepBegin,
    StepCommit,
    StepUpdate,
    Unit,
)
from apps.starship.rules.commands import Command
from apps.starship.rules.state import State
from apps.starship.rules.step import Structure

# --- what happens --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """A server offers itself."""

    server: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A server is gone, politely or not."""

    server: str


@dataclass(frozen=True, slots=True)
class Received:
    """A server sent something."""

    server: str
    message: FromServer


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; a deadline is there, or somebody asks for a step by hand (``step``)."""

    step: bool = False


Event = Joined | Lost | Received | Tick


# --- what is to be done --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a server."""

    to: str
    message: Snapshot | StepBegin | StepUpdate | StepCommit


@dataclass(frozen=True, slots=True)
class Committed:
    """A step is done: show it, and save it when it is time."""

    state: State
    orders: dict[str, tuple[Command, ...]]
    deferred: tuple[Unit, ...]
    structure: Structure
    hash: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something an operator should know: ``kind`` is a word, ``text`` a sentence."""

    kind: str
    text: str
    server: str = ""


Effect = Send | Committed | Report
