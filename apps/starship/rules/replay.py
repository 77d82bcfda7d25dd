"""Recorded games: a start and what was decided from outside, which give the same states again.

A recording is lines of JSON. The first has the start; each further one a step: the orders, the
units that were deferred, the structural changes, and the hash of the state. Whoever replays it
computes everything else and compares (design, section 12).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from apps.starship.errors import ScenarioError
from apps.starship.rules.commands import COMMANDS, Command
from apps.starship.rules.creating import is_record
from apps.starship.rules.encoding import Encoder, encode_state
from apps.starship.rules.reading import read_state
from apps.starship.rules.state import State
from apps.starship.rules.step import (
    Delta,
    Enlistment,
    Orders,
    Structure,
    Worker,
    commit,
    units_of,
)
from apps.starship.rules.theme import NAME, RACES, Theme

FORMAT = "starship 1"
"""The first word of every recording, with the version of its form."""


class Played(NamedTuple):
    """A step of a recording: what came from outside, and what the state's hash was."""

    orders: Orders
    deferred: tuple[tuple[str, str], ...]
    structure: Structure
    hash: str


def play(state: State, played: Played) -> State:
    """Return the state after a recorded step, without looking at its hash."""
    view = state.view()
    worker = Worker(view, played.orders)
    late = set(played.deferred)
    deltas: Iterable[Delta] = (
        worker.compute(name, group) for name, group in units_of(view) if (name, group) not in late
    )
    return commit(state, list(deltas), played.structure)


def write_start(state: State) -> str:
    """Return the first line of a recording."""
    return json.dumps({"format": FORMAT, "start": encode_state(state)}, separators=(",", ":"))


def write_step(played: Played) -> str:
    """Return the line of a step."""
    row = {
        "orders": {
            name: [[order.name, *order.args] for order in orders]
            for name, orders in sorted(played.orders.items())
            if orders
        },
        "deferred": [list(unit) for unit in played.deferred],
        "enlisted": [
            [made.name, made.race, made.captain, *([list(made.record)] if made.record else [])]
            for made in played.structure.enlisted
        ],
        "captains": [list(change) for change in played.structure.captains],
        "hash": played.hash,
    }
    return json.dumps(row, separators=(",", ":"))


def read_start(line: str, theme: Theme) -> State:
    """Return the start of a recording. Raises `ScenarioError` for what is none."""
    row = _row(line, 1, ("format", "start"))
    if row["format"] != FORMAT or not isinstance(row["start"], str):
        raise ScenarioError(f"line 1: this is no recording of the form {FORMAT!r}")
    return read_state(row["start"], theme)


def read_step(line: str, number: int) -> Played:
    """Return the step of a line. Raises `ScenarioError` naming the line."""
    row = _row(line, number, ("orders", "deferred", "enlisted", "captains", "hash"))
    try:
        return Played(
            {
                str(name): [read_order(words) for words in rows]
                for name, rows in row["orders"].items()
            },
            tuple((str(name), str(group)) for name, group in row["deferred"]),
            Structure(
                tuple(map(_enlistment, row["enlisted"])),
                tuple((str(n), None if c is None else int(c)) for n, c in row["captains"]),
            ),
            str(row["hash"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"line {number}: this is no step: {error}") from None


def read_order(words: Sequence[Any]) -> Command:
    """Return the order of a name and its words. Raises `ValueError` for what is none."""
    name, *args = words
    if name not in COMMANDS or tuple(map(type, args)) != COMMANDS[name].types:
        raise ValueError(f"{words} is no order")
    return Command(name, tuple(args))


def _enlistment(words: Sequence[Any]) -> Enlistment:
    name, race, captain, *more = words
    if race not in RACES or not NAME.fullmatch(name) or type(captain) is not int or len(more) > 1:
        raise ValueError(f"{words} is no new ship")
    return Enlistment(name, race, captain, *map(_record, more))


def _record(numbers: Sequence[Any]) -> tuple[int, ...]:
    if not is_record(numbers):
        raise ValueError(f"{numbers} is no record of a ship")
    return tuple(numbers)


def _row(line: str, number: int, names: Sequence[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ScenarioError(f"line {number}: {error}") from None
    if not isinstance(row, dict) or set(row) != set(names):
        raise ScenarioError(f"line {number}: expected {', '.join(names)}")
    return row


def replay(lines: Iterable[str], theme: Theme) -> Iterator[State]:
    """Go through the states of a recording, the start first.

    Raises `ScenarioError` naming the line where a state has another hash than when it was recorded.
    """
    numbered = enumerate(lines, 1)
    first = next(numbered, None)
    if first is None:
        raise ScenarioError("a recording has at least one line")
    state, encoder = read_start(first[1], theme), Encoder()
    yield state
    for number, line in numbered:
        played = read_step(line, number)
        state = play(state, played)
        found = encoder.digest(state)
        if found != played.hash:
            raise ScenarioError(
                f"line {number}: step {state.step} has the hash {found}, recorded {played.hash}"
            )
        yield state
