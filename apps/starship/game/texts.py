"""The messages between the servers of a game as texts: JSON, checked when it is read.

One text is one value for the runtime, whatever is in it. Orders, structure and hash have the form
of a recording's line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from apps.starship.errors import ScenarioError
from apps.starship.game.messages import StepBegin, StepCommit, Unit
from apps.starship.rules.encoding import changes_to_plain
from apps.starship.rules.objects import LOG_LENGTH, UNITS, Record
from apps.starship.rules.reading import read_changes
from apps.starship.rules.replay import Played, read_step, write_step
from apps.starship.rules.state import State
from apps.starship.rules.step import NO_STRUCTURE, Delta

DELTAS_MAX = 1_000_000
"""Deltas in one message."""


_MORE = "log+"
"""Where the lines of a log stand that a step added; in the place of ``log``, the whole of it."""


def write_deltas(deltas: Iterable[Delta], t: int | None = None) -> str:
    """Return deltas as a text; with ``t`` those of step ``t``, of whose logs the new lines stand.

    A log has 30 lines, and a unit adds one or two.
    """
    rows = [[delta.name, delta.group, _plain_changes(delta.changes, t)] for delta in deltas]
    return _dumps(rows)


_dumps = json.JSONEncoder(separators=(",", ":")).encode


def _plain_changes(changes: dict[str, Any], t: int | None) -> dict[str, Any]:
    log = changes.get("log")
    if t is None or log is None:
        return changes_to_plain(changes)
    found = {name: value for name, value in changes.items() if name != "log"}
    found[_MORE] = tuple(record for record in log if record.step == t)
    return changes_to_plain(found)


def read_deltas(text: str, before: State | None = None) -> tuple[Delta, ...]:
    """Return the deltas of a text, those of the step after the state ``before``.

    Without it they can only be counted: new lines are their whole logs. Raises `ScenarioError` for
    anything else.
    """
    found = []
    for row in _rows(text):
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[2], dict):
            raise ScenarioError("a delta is the name of an object, a group and its changes")
        name, group, changes = row
        _check_unit(name, group)
        more = changes.pop(_MORE, None)
        read = read_changes(group, changes)
        if more is not None:
            read["log"] = _longer_log(before, name, group, more)
        found.append(Delta(name, group, read))
    return tuple(found)


def _longer_log(before: State | None, name: str, group: str, more: Any) -> tuple[Record, ...]:
    fresh: tuple[Record, ...] = read_changes(group, {"log": more})["log"]
    if before is None:
        return fresh
    thing = before.objects.get(name)
    if thing is None:
        raise ScenarioError(f"there is no {name} to whose log lines could be added")
    return (*getattr(thing, group).log, *fresh)[-LOG_LENGTH:]


def write_units(units: Iterable[Unit]) -> str:
    """Return units as a text: the groups of each object in a row."""
    rows: dict[str, list[str]] = {}
    for name, group in units:
        rows.setdefault(name, []).append(group)
    return json.dumps(list(rows.items()), separators=(",", ":"))


def read_units(text: str) -> tuple[Unit, ...]:
    """Return the units of a text. Raises `ScenarioError` for anything else."""
    found: list[Unit] = []
    for row in _rows(text):
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], list):
            raise ScenarioError("units are the name of an object and its groups")
        for group in row[1]:
            _check_unit(row[0], group)
            found.append((row[0], group))
    return tuple(found)


def _check_unit(name: object, group: object) -> None:
    if not isinstance(name, str) or group not in UNITS:
        raise ScenarioError(f"{name!r} {group!r} is no unit")


def _rows(text: str) -> Sequence[Any]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise ScenarioError(f"a message that is no JSON: {error}") from None
    if not isinstance(rows, list) or len(rows) > DELTAS_MAX:
        raise ScenarioError("a message is a list")
    return rows


def write_begin(begin: StepBegin) -> tuple[str, str]:
    """Return orders and hash of a beginning step as one text, and its units as another."""
    line = write_step(Played(begin.orders, (), NO_STRUCTURE, begin.hash))
    return line, write_units(begin.units)


def read_begin(epoch: int, t: int, line: str, units: str) -> StepBegin:
    """Return the beginning of a step from its texts."""
    played = read_step(line, 1)
    orders = {name: tuple(found) for name, found in played.orders.items()}
    return StepBegin(epoch, t, orders, read_units(units), played.hash)


def write_commit(done: StepCommit) -> str:
    """Return the commit of a step as a text."""
    return write_step(Played({}, done.deferred, done.structure, done.hash))


def read_commit(epoch: int, t: int, line: str) -> StepCommit:
    """Return the commit of a step from its text."""
    played = read_step(line, 1)
    return StepCommit(epoch, t, played.deferred, played.structure, played.hash)
