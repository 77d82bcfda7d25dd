"""States, objects and deltas from outside, checked before they become any (design, section 12).

Everything is checked attribute by attribute: type, range, length. What is wrong is a
`ScenarioError` that names the attribute and what it must be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from apps.starship.errors import ScenarioError
from apps.starship.rules import tables
from apps.starship.rules.geography import QUADRANT
from apps.starship.rules.messages import TASKS
from apps.starship.rules.objects import (
    GROUPS,
    UNITS,
    Delivery,
    Group,
    Mission,
    Record,
    Shot,
    Thing,
    Weapon,
)
from apps.starship.rules.state import Settings, State
from apps.starship.rules.step import Delta
from apps.starship.rules.tactics import DAMAGE_FROM_MAX
from apps.starship.rules.theme import INDEPENDENT, KINDS, NAME, RACES, Theme

OBJECTS_MAX = 100_000
"""Objects in a galaxy that is read."""


class _Bad(Exception):
    """What a value is not; the place is added on the way up."""


_Check = Callable[[Any], Any]


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > 2**63:
        raise _Bad("an integer")
    return value


def _from(low: int, high: int = 2**63) -> _Check:
    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _Bad(f"an integer from {low} to {high}")
        return value

    return read


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _Bad("true or false")
    return value


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > 200 or not value.isascii():
        raise _Bad("a text of ASCII characters")
    return value


def _or_none(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


def _many(check: _Check, most: int = 1_000) -> _Check:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise _Bad(f"a list of at most {most}")
        return tuple(check(member) for member in value)

    return read


def _exactly(count: int, check: _Check) -> _Check:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != count:
            raise _Bad(f"a list of {count}")
        return tuple(check(member) for member in value)

    return read


def _table(check: _Check, most: int = OBJECTS_MAX) -> _Check:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise _Bad(f"an object with at most {most} names")
        return {_text(name): check(member) for name, member in value.items()}

    return read


def _word(value: Any) -> int | str:
    return _integer(value) if type(value) is int else _text(value)


def _params(value: Any) -> tuple[tuple[str, int | str], ...]:
    rows = dict(value) if isinstance(value, tuple) else value
    return tuple(sorted(_table(_word)(rows).items()))


def _record(kind: type[Any], checks: dict[str, _Check]) -> _Check:
    def read(value: Any) -> Any:
        row = value._asdict() if isinstance(value, kind) else value
        if not isinstance(row, dict) or set(row) != set(checks):
            raise _Bad(f"an object with {', '.join(checks)}")
        return kind(**{name: check(row[name]) for name, check in checks.items()})

    return read


_PLACE_MAX = 24 * QUADRANT - 1
_POSITION = _from(0, _PLACE_MAX)
_ANGLE = _from(0, 3_599)
_SPEED = _from(0, 100)
_PERCENT = _from(0, 100)
_COUNT = _from(0)

_NAME = _or_none(_text)
_LOG = _many(_record(Record, {"step": _integer, "seq": _integer, "key": _text, "params": _params}))
_PLACE = _exactly(2, _POSITION)
_DAMAGE = _exactly(2, _integer)
_WEAPON = _record(
    Weapon,
    {
        "id": _text, "type": _text, "centre": _ANGLE, "half_arc": _from(0, 1_800),
        "lock": _NAME, "ready_at": _integer, "health": _PERCENT,
    },
)  # fmt: skip
_SHOT = _record(
    Shot,
    {"step": _integer, "weapon": _text, "target": _text, "damage": _COUNT, "back": _ANGLE},
)
_DELIVERY = _record(Delivery, {"step": _integer, "to": _text, "amount": _integer})
_MISSION = _record(
    Mission,
    {
        "kind": _text, "begun": _integer, "limit": _integer, "reward": _integer,
        "target": _NAME, "stage": _integer, "progress": _integer, "places": _many(_PLACE, 3),
    },
)  # fmt: skip

_CHECKS: dict[str, dict[str, _Check]] = {
    "meta": {
        "id": _integer, "name": _text, "race": _text, "kind": _text, "created_at": _integer,
        "captain": _or_none(_integer), "human": _boolean,
    },
    "nav": {
        "x": _POSITION, "y": _POSITION, "heading": _ANGLE, "speed": _SPEED,
        "want_heading": _ANGLE, "want_speed": _SPEED, "dest": _NAME,
        "point": _or_none(_PLACE), "entered_at": _integer, "log": _LOG,
    },
    "tac": {
        "energy": _COUNT, "shields": _exactly(6, _COUNT), "hull": _integer, "crew": _COUNT,
        "supplies": _COUNT, "ammo": _COUNT, "weapons": _many(_WEAPON, 16),
        "shields_up": _boolean, "systems": _exactly(4, _PERCENT), "power": _text,
        "repair_first": _NAME, "shots": _many(_SHOT), "hits_through": _integer,
        "attackers": _table(_integer), "damage_from": _table(_DAMAGE, DAMAGE_FROM_MAX),
        "last_hit": _integer, "truce_until": _integer, "dead_at": _or_none(_integer),
        "killer": _NAME, "suppressed_at": _integer, "suppressed_by": _NAME, "log": _LOG,
    },
    "com": {
        "mission": _or_none(_MISSION), "next_mission_at": _integer, "points": _COUNT,
        "score": _integer, "kills": _integer, "missions_done": _integer,
        "upgrades": _exactly(6, _from(0, 5)), "cargo": _COUNT, "evacuees": _COUNT,
        "distress_at": _integer, "responding_to": _NAME, "responding_at": _integer,
        "deliveries": _many(_DELIVERY), "assists": _many(_text), "credited": _many(_text),
        "seen_through": _integer, "berth": _NAME, "alert": _text, "stock": _COUNT,
        "deliveries_through": _integer, "emergency": _or_none(_integer), "log": _LOG,
    },
}  # fmt: skip


def read_changes(group: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a delta from outside, checked.

    Raises `ScenarioError` for a group or an attribute there is none, or a value it cannot have.
    """
    checks = _CHECKS.get(group)
    if checks is None:
        raise ScenarioError(f"groups are {', '.join(_CHECKS)}, not {group!r}")
    found = {}
    for name, value in changes.items():
        check = checks.get(name)
        if check is None:
            raise ScenarioError(f"{group} has no attribute {name!r}")
        try:
            found[name] = check(value)
        except _Bad as error:
            raise ScenarioError(f"{group}.{name} must be {error}, not {value!r:.80}") from None
    return found


def read_thing(row: Any) -> Thing:
    """Return an object that JSON describes, every attribute given and checked."""
    if not isinstance(row, dict) or set(row) != set(GROUPS):
        raise ScenarioError(f"an object has the groups {', '.join(GROUPS)}")
    groups: list[Any] = []
    for name, kind in GROUPS.items():
        missing = set(kind.names) - set(row[name])
        if missing:
            raise ScenarioError(f"{name} lacks {', '.join(sorted(missing))}")
        groups.append(kind(**read_changes(name, row[name])))
    thing = Thing(*groups)
    check_thing(thing)
    return thing


def check_thing(thing: Thing) -> None:
    """Raise `ScenarioError` for an object whose parts do not fit each other."""
    race, kind = thing.race, thing.kind
    if not NAME.fullmatch(thing.name):
        raise ScenarioError(f"{thing.name!r} is no name")
    known = race in RACES or (race == INDEPENDENT and kind == "planet")
    if kind not in KINDS or not known:
        raise ScenarioError(f"{thing.name}: there is no {kind!r} of race {race!r}")
    if thing.tac.power not in tables.POWERS:
        raise ScenarioError(f"{thing.name}: power is one of {', '.join(tables.POWERS)}")
    mounts = tables.design_of(race, kind).mounts
    found = tuple(tables.Mount(w.id, w.type, w.centre, w.half_arc) for w in thing.tac.weapons)
    if found != mounts:
        ids = ", ".join(f"{mount.type} {mount.id}" for mount in mounts)
        raise ScenarioError(f"{thing.name}: the weapons of this {kind} are {ids}")
    mission = thing.com.mission
    if mission is not None:
        if mission.kind not in TASKS:
            raise ScenarioError(f"{thing.name}: there is no mission {mission.kind!r}")
        stages = len(mission.places) if mission.kind in ("patrol", "explore") else 2
        if not 0 <= mission.stage < stages:
            raise ScenarioError(f"{thing.name}: its mission has no stage {mission.stage}")


_TOGETHER = frozenset({"power", "weapons", "mission"})
"""The attributes of units that `check_thing` looks at; few deltas have one."""


def check_delta(state: State, delta: Delta) -> None:
    """Raise `ScenarioError` for a delta that no unit of a step from ``state`` can have."""
    thing = state.objects.get(delta.name)
    if thing is None or delta.group not in UNITS:
        raise ScenarioError(f"{delta.name} {delta.group} is no unit")
    if _TOGETHER.isdisjoint(delta.changes):
        return
    group: Group = getattr(thing, delta.group)
    check_thing(thing.with_group(delta.group, group.changed(delta.changes)))


_HEAD = ("seed", "step", "settings", "next_id", "ruins", "names")
_THINGS = _many(lambda value: value, OBJECTS_MAX)


def read_state(text: str, theme: Theme) -> State:
    """Return the state that `encoding.encode_state` wrote; its theme is kept apart.

    Raises `ScenarioError` with what is wrong and where.
    """
    row = _parse(text)
    if not isinstance(row, dict) or set(row) != {*_HEAD, "objects"}:
        raise ScenarioError(f"a state has {', '.join(sorted((*_HEAD, 'objects')))}")
    return _state_of(row, map(read_thing, _field("objects", row, _THINGS)), theme)


def read_things(text: str) -> list[Thing]:
    """Return the objects that `encoding.encode_things` wrote. Raises `ScenarioError`."""
    return [read_thing(row) for row in _field("objects", {"objects": _parse(text)}, _THINGS)]


def read_in_pieces(head: str, things: Iterable[Thing], theme: Theme) -> State:
    """Return the state of which `encoding.encode_head` wrote the head, with its objects.

    Raises `ScenarioError` with what is wrong and where.
    """
    row = _parse(head)
    if not isinstance(row, dict) or set(row) != set(_HEAD):
        raise ScenarioError(f"the head of a state has {', '.join(sorted(_HEAD))}")
    return _state_of(row, things, theme)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScenarioError(f"a state is JSON: {error}") from None


def _state_of(row: dict[str, Any], things: Iterable[Thing], theme: Theme) -> State:
    objects: dict[str, Thing] = {}
    for thing in things:
        if thing.name in objects:
            raise ScenarioError(f"two objects are called {thing.name}")
        objects[thing.name] = thing
    return State(
        _field("seed", row, _integer),
        _field("step", row, _from(0)),
        read_settings(row["settings"]),
        theme,
        objects,
        _field("next_id", row, _from(1)),
        _field("ruins", row, _many(_ruin)),
        _field("names", row, _table(_integer)),
    )


def _field(name: str, row: dict[str, Any], check: _Check) -> Any:
    try:
        return check(row[name])
    except _Bad as error:
        raise ScenarioError(f"{name} must be {error}") from None


def _ruin(value: Any) -> tuple[int, str, str, int, int]:
    if not isinstance(value, list) or len(value) != 5:
        raise _Bad("a list of step, race, name, x and y")
    at, race, name, x, y = value
    return _integer(at), _text(race), _text(name), _integer(x), _integer(y)


def read_settings(row: Any) -> Settings:
    """Return the settings that JSON describes; those not given are as usual."""
    known = {member.name for member in fields(Settings)}
    if not isinstance(row, dict) or not set(row) <= known:
        raise ScenarioError(f"settings are {', '.join(sorted(known))}")
    settings = Settings(**{name: _field(name, row, _integer) for name in row})
    settings.validate()
    return settings
