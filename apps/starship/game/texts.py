"""The messages between the servers of a game as texts: JSON, checked when it is read.

One text is one value for the runtime, whatever is in it. Orders, structure and hash have the form
of a recording's line; results have the form that `rows` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.starship.errors import ScenarioError
from apps.starship.game.messages import StepBegin, StepCommit, Unit
from apps.starship.game.rows import read_rows, read_unit_rows, write_rows, write_unit_rows
from apps.starship.rules.objects import LOG_LENGTH, Record
from apps.starship.rules.reading import read_changes
from apps.starship.rules.replay import Played, read_step, write_step
from apps.starship.rules.state import State
from apps.starship.rules.step import NO_STRUCTURE, Delta


def write_deltas(deltas: Iterable[Delta], t: int | None = None) -> str:
    """Return deltas as a text; with ``t`` those of step ``t``, of whose logs the new lines stand.

    A log has 30 lines, and a unit adds one or two.
    """
    return write_rows(
        [(delta.group, delta.name, _on_the_wire(delta.changes, t)) for delta in deltas]
    )


def _on_the_wire(changes: dict[str, Any], t: int | None) -> dict[str, Any]:
    if t is None or "log" not in changes:
        return changes
    found = {name: value for name, value in changes.items() if name != "log"}
    found[_LINES] = [record for record in changes["log"] if record.step == t]
    return found


def read_deltas(text: str, before: State | None = None) -> tuple[Delta, ...]:
    """Return the deltas of a text, those of the step after the state ``before``.

    Without it they can only be counted: new lines are their whole logs. Raises `ScenarioError` for
    anything else.
    """
    found = []
    for row in read_rows(text):
        group: str = row.group
        changes: dict[str, Any] = row.changes
        lines = changes.pop(_LINES, None)
        if not _CHECKED_AGAIN.isdisjoint(changes):
            again = {name: changes[name] for name in changes if name in _CHECKED_AGAIN}
            changes.update(read_changes(group, again))
        if lines is not None:
            changes["log"] = _longer_log(before, row.name, group, lines)
        found.append(Delta(row.name, group, changes))
    return tuple(found)


_LINES = "lines"
"""Where the lines of a log stand that a step added; in the place of ``log``, the whole of it."""
_CHECKED_AGAIN = frozenset({"log", "weapons", "shots", "mission", "deliveries"})
"""The attributes of which rows say what they are made of, and not yet what is possible there."""


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
    return write_unit_rows(list(rows.items()))


def read_units(text: str) -> tuple[Unit, ...]:
    """Return the units of a text. Raises `ScenarioError` for anything else."""
    return tuple([(name, group) for name, groups in read_unit_rows(text) for group in groups])


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
