"""A step: from a state and the orders for it to the next state (design, sections 6 and 12).

Three rules. All units read the old state and the orders, and nothing of each other. A unit writes
one group of one object; effects on others go through ledgers. What nobody computed in time keeps
its old values, and the ledgers make up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from apps.starship.errors import MergeError
from apps.starship.rules.arithmetic import rng
from apps.starship.rules.captains import decide
from apps.starship.rules.commands import COMMANDS, Command
from apps.starship.rules.communications import communicate
from apps.starship.rules.creating import (
    add_ship,
    automatic_name,
    berth,
    is_free,
    new_thing,
    restore_ship,
)
from apps.starship.rules.navigation import navigate
from apps.starship.rules.objects import UNITS, Group, Thing, appended
from apps.starship.rules.state import State, View
from apps.starship.rules.tactics import fight
from apps.starship.rules.theme import RACES

WRECK_STEPS = 4
"""For how many steps a wreck is there."""
NAME_STEPS = 200
"""After how many steps the name of a ship that is gone is free again."""
REINFORCE_STEPS = 12
REBUILD_STEPS = 600
EMERGENCY_STEPS = 40
"""How often a race may have a new emergency, in steps."""
EMERGENCY_CHANCE = 30
EMERGENCY_LASTS = 400


class Delta(NamedTuple):
    """What a unit changed: the object, the group, and the attributes with their next values."""

    name: str
    group: str
    changes: dict[str, Any]


Orders = Mapping[str, Sequence[Command]]
"""The orders that were admitted for a step, by ship."""

_UNITS: dict[str, Callable[[View, Thing, tuple[Command, ...]], Group]] = {
    "nav": navigate,
    "tac": fight,
    "com": communicate,
}


class Worker:
    """Computes units of one step; the orders of a computer captain are worked out once.

    ``made`` are the groups as they are after the step, of the units that were computed.
    """

    def __init__(self, view: View, orders: Orders) -> None:
        self.view = view
        self.orders = orders
        self.made: dict[tuple[str, str], Group] = {}
        self._decided: dict[str, dict[str, tuple[Command, ...]]] = {}

    def orders_of(self, thing: Thing) -> dict[str, tuple[Command, ...]]:
        """Return the orders for an object by group: its captain's, or the computer's."""
        found = self._decided.get(thing.name)
        if found is None:
            given: Iterable[Command]
            if thing.meta.captain is not None:
                given = self.orders.get(thing.name, ())
            else:
                given = decide(self.view, thing)
            found = {}
            for order in given:
                group = COMMANDS[order.name].group
                found[group] = (*found.get(group, ()), order)
            self._decided[thing.name] = found
        return found

    def compute(self, name: str, group: str) -> Delta:
        """Compute one unit of a living object."""
        thing = self.view.objects[name]
        made = _UNITS[group](self.view, thing, self.orders_of(thing).get(group, ()))
        self.made[name, group] = made
        return Delta(name, group, made.changes(getattr(thing, group)))


def units_of(view: View) -> list[tuple[str, str]]:
    """Return the units of a step: each group of each living object, in the order of the names."""
    return [(name, group) for name in view.names if view.objects[name].alive for group in UNITS]


def merge(state: State, deltas: Iterable[Delta]) -> dict[str, Thing]:
    """Return the objects with deltas applied; those without one keep their values.

    Raises `MergeError` for two deltas of one unit and for one of no unit.
    """
    merging, seen = Merging(state), set()
    for delta in deltas:
        unit = delta.name, delta.group
        if unit in seen:
            raise MergeError(f"step {state.step + 1}: {delta.name} {delta.group} twice")
        seen.add(unit)
        merging.add(delta)
    return merging.objects()


class Merging:
    """The objects of the next state, put together while results come in.

    Of two results for one unit the later one counts; what has none keeps its values.
    """

    def __init__(self, state: State) -> None:
        self._step = state.step + 1
        self._before = state.objects
        self._changed: dict[str, list[Any]] = {}

    def add(self, delta: Delta, made: Group | None = None) -> Group:
        """Take a result in; return the group that the unit has with it.

        ``made`` is that group, if whoever has the result has it already. Raises `MergeError` for
        one of no unit.
        """
        name, group, changes = delta
        thing, place = self._before.get(name), _PLACES.get(group)
        if thing is None or place is None or thing.tac.dead_at is not None:
            raise MergeError(f"step {self._step} has no unit {name} {group}")
        groups = self._changed.get(name)
        if groups is None:
            groups = self._changed[name] = list(thing)
        old: Group = thing[place]
        found = old if not changes else old.changed(changes) if made is None else made
        groups[place] = found
        return found

    def leave_out(self, name: str, group: str) -> None:
        """Have a unit keep its values, whatever came for it."""
        if name in self._changed:
            place = _PLACES[group]
            self._changed[name][place] = self._before[name][place]

    def objects(self) -> dict[str, Thing]:
        """Return all objects, in the order in which they were."""
        return {**self._before, **{name: Thing(*own) for name, own in self._changed.items()}}


_PLACES = {name: Thing._fields.index(name) for name in UNITS}


# --- what only the primary decides ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enlistment:
    """A ship that a captain makes: its name was checked, ``captain`` is his session number.

    ``record`` is what a ship from another game brings along, as `creating.restore_ship` takes it.
    """

    name: str
    race: str
    captain: int
    record: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Structure:
    """What the primary changes when a step is committed, besides the deltas.

    ``enlisted`` are new ships of captains, ``captains`` the sessions that take or leave a ship.
    """

    enlisted: tuple[Enlistment, ...] = ()
    captains: tuple[tuple[str, int | None], ...] = ()


NO_STRUCTURE = Structure()


def commit(state: State, deltas: Iterable[Delta], structure: Structure = NO_STRUCTURE) -> State:
    """Return the next state: deltas merged, then what only the primary decides (section 6.4)."""
    return conclude(state, merge(state, deltas), structure)


def conclude(state: State, objects: dict[str, Thing], structure: Structure = NO_STRUCTURE) -> State:
    """Return the state after ``state``, of whose objects the results are merged already."""
    t = state.step + 1
    after = replace(state, step=t, objects=objects)
    after = _remove_wrecks(after)
    after = _change_captains(after, structure)
    after = _rebuild(after)
    for enlistment in structure.enlisted:
        after = _enlist(after, enlistment)
    if t % REINFORCE_STEPS == 0:
        after = _reinforce(after)
    return _declare_emergencies(after)


def advance(
    state: State, orders: Orders | None = None, structure: Structure = NO_STRUCTURE
) -> State:
    """Return the next state, computed in one place."""
    view = state.view()
    worker = Worker(view, orders or {})
    deltas = [worker.compute(name, group) for name, group in units_of(view)]
    return commit(state, deltas, structure)


def _remove_wrecks(state: State) -> State:
    t = state.step
    gone = [
        thing
        for thing in state.objects.values()
        if thing.tac.dead_at is not None and t >= thing.tac.dead_at + WRECK_STEPS
    ]
    names = {name: free for name, free in state.names.items() if free > t}
    if not gone:
        return state if len(names) == len(state.names) else replace(state, names=names)
    gone.sort(key=lambda thing: thing.meta.id)
    objects = dict(state.objects)
    ruins = list(state.ruins)
    for thing in gone:
        del objects[thing.name]
        if thing.kind == "starbase":
            at, nav = thing.tac.dead_at or 0, thing.nav
            ruins.append((at, thing.race, thing.name, nav.x, nav.y))
        else:
            names[thing.name.lower()] = t + NAME_STEPS
    return replace(state, objects=objects, ruins=tuple(ruins), names=names)


def _change_captains(state: State, structure: Structure) -> State:
    if not structure.captains:
        return state
    objects = dict(state.objects)
    for name, captain in structure.captains:
        thing = objects.get(name)
        if thing is not None:
            human = thing.meta.human or captain is not None
            meta = thing.meta.changed({"captain": captain, "human": human})
            com = thing.com
            if captain is None and thing.meta.captain is not None:
                com = com.changed({"log": appended(com.log, state.step, "captain_left")})
            objects[name] = thing._replace(meta=meta, com=com)
    return replace(state, objects=objects)


def _enlist(state: State, made: Enlistment) -> State:
    """Make a captain's ship, unless what was so when he was promised it is so no longer.

    The last berth of its race may be destroyed in the step in which it is made, and a ship that
    the computer got may have its name.
    """
    if berth(state, made.race, made.name) is None or not is_free(state, made.name):
        return state
    after = add_ship(state, made.race, made.name, made.captain, human=True)
    return restore_ship(after, made.name, made.record) if made.record else after


def _rebuild(state: State) -> State:
    due = [ruin for ruin in state.ruins if state.step >= ruin[0] + REBUILD_STEPS]
    if not due:
        return state
    objects, number = dict(state.objects), state.next_id
    for _at, race, name, x, y in due:
        objects[name] = new_thing(number, name, race, "starbase", (x, y), state.step)
        number += 1
    left = tuple(ruin for ruin in state.ruins if ruin not in due)
    return replace(state, objects=objects, next_id=number, ruins=left)


def _reinforce(state: State) -> State:
    """Give each race that is short of computer captains one new ship, within the bound."""
    settings = state.settings
    for race in RACES:
        ships = [thing for thing in state.objects.values() if thing.kind == "starship"]
        free = sum(t.race == race and t.alive and t.meta.captain is None for t in ships)
        room = len(ships) < settings.starships_max - settings.human_reserve
        if free < settings.ships and room and berth(state, race, race) is not None:
            state = add_ship(state, race, automatic_name(state, race))
    return state


def _declare_emergencies(state: State) -> State:
    """Let planets have emergencies now and then, and end those that were helped or are old."""
    t = state.step
    objects: dict[str, Thing] = {}
    urgent = [thing for thing in state.objects.values() if thing.com.emergency is not None]
    helped = _rescued(state) if urgent else set()
    for thing in urgent:
        name, since = thing.name, thing.com.emergency
        if since is not None and (name in helped or t - since >= EMERGENCY_LASTS):
            objects[name] = thing._replace(com=thing.com.changed({"emergency": None}))
    if t % EMERGENCY_STEPS == 0:
        for race in RACES:
            planets = sorted(
                thing.name
                for thing in state.objects.values()
                if thing.race == race and thing.kind == "planet"
            )
            r = rng(state.seed, t, "emergency", race)
            calm = all(state.objects[name].com.emergency is None for name in planets)
            if calm and planets and r % 100 < EMERGENCY_CHANCE:
                chosen = state.objects[planets[(r >> 8) % len(planets)]]
                com = chosen.com.changed({"emergency": t})
                objects[chosen.name] = chosen._replace(com=com)
    return replace(state, objects={**state.objects, **objects}) if objects else state


def _rescued(state: State) -> set[str]:
    """The planets whose people are aboard a ship."""
    found = set()
    for thing in state.objects.values():
        mission = thing.com.mission
        if mission is not None and mission.kind == "rescue" and mission.stage and mission.target:
            found.add(mission.target)
    return found
