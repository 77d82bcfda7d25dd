"""A state of the galaxy, and what can be read off it.

Two rules. A state never changes: a step makes the next one. Everything a unit asks goes through
`View`, which reads one state only and remembers what it worked out; it is dropped with the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt
from typing import TypeVar

from apps.starship.errors import ScenarioError
from apps.starship.rules import tables
from apps.starship.rules.arithmetic import UNIT, dist, rng
from apps.starship.rules.geography import NEUTRAL, Geography
from apps.starship.rules.objects import LEDGER_STEPS, NEVER, Delivery, Nav, Shot, Tac, Thing
from apps.starship.rules.theme import INDEPENDENT, RACES, Theme

Found = TypeVar("Found")

CELL = 300 * UNIT
"""Side of the cells in which objects are looked up by distance, in mu."""

UNDER_ATTACK_STEPS = 5
CALL_STEPS = 20
CALL_ATTACKED_STEPS = 11
CALL_STEPS_MAX = 200
"""After this many steps a call for help is over, whatever happens: it is another fight."""
DOCK_RANGE = 20 * UNIT
DOCK_SPEED_MAX = 10
ALERT_RANGE = 300 * UNIT
LOCK_RANGE = 600
LOCK_RANGE_MIN = 150


@dataclass(frozen=True, slots=True)
class Settings:
    """What changes the simulation; part of every snapshot, so all servers use the primary's.

    ``across`` quadrants to a side (8, 16 or 24), ``ships``, ``bases`` and ``planets`` for each race
    at the start, ``free_planets`` without one. ``ships`` is also below how many uncaptained
    starships a race gets reinforcements. ``human_reserve`` of ``starships_max`` are kept for
    captains.
    """

    commands_per_step: int = 3
    starships_max: int = 64
    human_reserve: int = 16
    ships: int = 10
    bases: int = 3
    planets: int = 6
    free_planets: int = 8
    across: int = 8

    def validate(self) -> None:
        """Raise `ScenarioError` for settings no game can be played by."""
        if not 1 <= self.commands_per_step <= 10:
            raise ScenarioError(f"commands_per_step is 1 to 10, not {self.commands_per_step}")
        if min(self.ships, self.human_reserve) < 0 or min(self.bases, self.planets) < 1:
            raise ScenarioError("a race has 0 or more starships, a starbase and a planet at least")
        least = len(RACES) * self.ships + self.human_reserve
        if self.starships_max < least:
            raise ScenarioError(
                f"starships_max is {self.starships_max}: {len(RACES)} races with {self.ships} each"
                f" and a reserve of {self.human_reserve} for captains need {least}"
            )
        Geography(self.across)


@dataclass(frozen=True, slots=True)
class State:
    """The galaxy after a step.

    ``objects`` are all objects by short name; ``next_id`` the id of the next one that is made.
    ``ruins`` are the starbases to be rebuilt, as (step of destruction, race, name, x, y); ``names``
    the names of ships that are gone, in lower case, with the step from which they are free again.
    """

    seed: int
    step: int
    settings: Settings
    theme: Theme
    objects: dict[str, Thing]
    next_id: int
    ruins: tuple[tuple[int, str, str, int, int], ...] = ()
    names: dict[str, int] = field(default_factory=dict)

    def view(self) -> View:
        """Return what can be read off this state."""
        return View(self)


class View:
    """Questions to one state. ``step`` is the step being computed from it, t = n + 1.

    Orders that come while a step is computed are for the next one: they are checked by a view of
    the same state with a later ``step``.
    """

    def __init__(self, state: State, step: int | None = None) -> None:
        self.state = state
        self.step = state.step + 1 if step is None else step
        self.seed = state.seed
        self.objects = state.objects
        self.geography = Geography(state.settings.across)
        self._docks: dict[str, Thing | None] = {}

    # --- one object ------------------------------------------------------------------------

    def living(self, name: str | None) -> Thing | None:
        """Return an object that is there and no wreck."""
        found = None if name is None else self.objects.get(name)
        return found if found is not None and found.tac.dead_at is None else None

    @cached_property
    def names(self) -> list[str]:
        """The names of all objects, in their order."""
        return sorted(self.objects)

    @cached_property
    def _by_lower_name(self) -> dict[str, str]:
        return {name.lower(): name for name in self.objects}

    def find(self, name: str) -> Thing | None:
        """Return an object by its short name, however it is written."""
        return self.objects.get(self._by_lower_name.get(name.lower(), ""))

    def docked_at(self, thing: Thing) -> Thing | None:
        """Return the own starbase a starship is docked at."""
        return self._berth(thing, "starbase")

    def orbit_of(self, thing: Thing) -> Thing | None:
        """Return the own or Independent planet a starship is in orbit of."""
        return self._berth(thing, "planet")

    def _berth(self, thing: Thing, kind: str) -> Thing | None:
        name = thing.name
        if name not in self._docks:
            self._docks[name] = self._find_berth(thing)
        found = self._docks[name]
        return found if found is not None and found.kind == kind else None

    def _find_berth(self, thing: Thing) -> Thing | None:
        slow = thing.nav.speed <= DOCK_SPEED_MAX and not thing.tac.shields_up
        if thing.kind != "starship" or not slow or thing.tac.dead_at is not None:
            return None
        near = [
            (other.kind != "starbase", gap, other.name)
            for places in _around(self._berth_cells, thing.nav.x, thing.nav.y, DOCK_RANGE)
            for gap, other in _within(places, thing.nav.x, thing.nav.y, DOCK_RANGE)
            if self._is_berth(thing, other)
        ]
        return self.objects[min(near)[2]] if near else None

    @staticmethod
    def _is_berth(thing: Thing, other: Thing) -> bool:
        if other.kind == "starbase":
            return other.race == thing.race
        return other.kind == "planet" and other.race in (thing.race, INDEPENDENT)

    def under_attack(self, thing: Thing) -> bool:
        """Tell whether somebody shot at an object of late."""
        return thing.tac.last_hit >= self.step - UNDER_ATTACK_STEPS

    def calls_for_help(self, thing: Thing) -> bool:
        """Tell whether an object's call for help is open."""
        age = self.step - thing.com.distress_at
        if thing.com.distress_at == NEVER:
            return False
        if age <= CALL_STEPS:
            return True
        attacked = thing.tac.last_hit >= self.step - CALL_ATTACKED_STEPS
        return attacked and age <= CALL_STEPS_MAX

    @staticmethod
    def lock_range(thing: Thing) -> int:
        """Return how far away a target may be locked on, in mu."""
        return max(LOCK_RANGE * thing.tac.systems[tables.SEN] // 100, LOCK_RANGE_MIN) * UNIT

    def owner(self, nav: Nav) -> str:
        """Return the race in whose space a position lies."""
        return self.geography.owner(nav.x, nav.y)

    def is_abroad(self, thing: Thing) -> bool:
        """Tell whether an object is in the space of another race."""
        return self.owner(thing.nav) not in (thing.race, NEUTRAL)

    def alert(self, thing: Thing) -> str:
        """Return the alert of a starship: red, yellow or green (section 9)."""
        if self.under_attack(thing):
            return "red"
        design, tac = tables.design_of(thing.race, thing.kind), thing.tac
        weak = (
            tac.hull * 100 < maxima(thing)[0] * 50
            or tac.energy * 100 < design.energy * 20
            or tac.supplies * 100 < design.supplies * 15
        )
        if weak or self.is_abroad(thing):
            return "yellow"
        for _way, other in self.near(thing.nav.x, thing.nav.y, ALERT_RANGE):
            if other.kind != "planet" and other.race != thing.race:
                return "yellow"
        return "green"

    # --- many objects ----------------------------------------------------------------------

    @cached_property
    def _cells(self) -> dict[tuple[int, int], dict[str, list[Thing]]]:
        """The living objects by cell and race; both are all that most questions have to look at."""
        cells: dict[tuple[int, int], dict[str, list[Thing]]] = {}
        for thing in self._living:
            races = cells.setdefault((thing.nav.x // CELL, thing.nav.y // CELL), {})
            races.setdefault(thing.meta.race, []).append(thing)
        return cells

    @cached_property
    def _berth_cells(self) -> dict[tuple[int, int], list[Thing]]:
        """The living starbases and planets by cell."""
        cells: dict[tuple[int, int], list[Thing]] = {}
        for thing in self._living:
            if thing.meta.kind != "starship":
                cells.setdefault((thing.nav.x // CELL, thing.nav.y // CELL), []).append(thing)
        return cells

    def near(self, x: int, y: int, reach: int) -> Iterator[tuple[int, Thing]]:
        """Go through the living objects within ``reach`` mu of a place, with their distances.

        The order is the same on every machine, and not that of distance.
        """
        for races in _around(self._cells, x, y, reach):
            for things in races.values():
                yield from _within(things, x, y, reach)

    def near_of(self, x: int, y: int, reach: int, race: str) -> Iterator[tuple[int, Thing]]:
        """Go through those of them that are of one race."""
        for races in _around(self._cells, x, y, reach):
            if race in races:
                yield from _within(races[race], x, y, reach)

    def near_strangers(self, x: int, y: int, reach: int, race: str) -> list[tuple[int, Thing]]:
        """Return those of them that are neither of one race nor Independent."""
        found: list[tuple[int, Thing]] = []
        beyond = (reach + 1) ** 2
        for races in _around(self._cells, x, y, reach):
            for other, things in races.items():
                if other in (race, INDEPENDENT):
                    continue
                # `_within`, written out: every captain asks it in every step, 7 % of all units.
                for thing in things:
                    nav = thing.nav
                    across, up = nav.x - x, nav.y - y
                    square = across * across + up * up
                    if square < beyond:
                        found.append((isqrt(square), thing))
        return found

    @cached_property
    def wrecks(self) -> list[Thing]:
        """Everything that was destroyed and is still there."""
        return [self.objects[n] for n in self.names if self.objects[n].tac.dead_at is not None]

    @cached_property
    def shots_at(self) -> dict[str, list[tuple[str, Shot]]]:
        """The shots in the ledgers by target, each with its shooter, by step, shooter, weapon."""
        found: dict[str, list[tuple[str, Shot]]] = {}
        for name in self.names:
            for shot in self.objects[name].tac.shots:
                found.setdefault(shot.target, []).append((name, shot))
        for shots in found.values():
            shots.sort(key=lambda row: (row[1].step, row[0], row[1].weapon))
        return found

    @cached_property
    def callers(self) -> dict[str, list[Thing]]:
        """The living objects whose calls for help are open, by race."""
        found: dict[str, list[Thing]] = {race: [] for race in (*RACES, INDEPENDENT)}
        for thing in self._living:
            if self.calls_for_help(thing):
                found[thing.race].append(thing)
        return found

    @cached_property
    def helpers_of(self) -> dict[str, list[Thing]]:
        """The ships that are on their way to whom, in the order of their names."""
        found: dict[str, list[Thing]] = {}
        for thing in self._living:
            if thing.com.responding_to is not None:
                found.setdefault(thing.com.responding_to, []).append(thing)
        return found

    @cached_property
    def deliveries_to(self) -> dict[str, list[Delivery]]:
        """The deliveries in the ledgers, by planet."""
        found: dict[str, list[Delivery]] = {}
        for name in self.names:
            for delivery in self.objects[name].com.deliveries:
                found.setdefault(delivery.to, []).append(delivery)
        return found

    @cached_property
    def wrecks_damaged_by(self) -> dict[str, list[Thing]]:
        """The wrecks by those who shot at them."""
        found: dict[str, list[Thing]] = {}
        for wreck in self.wrecks:
            for name in wreck.tac.damage_from:
                found.setdefault(name, []).append(wreck)
        return found

    @cached_property
    def silenced_by(self) -> dict[str, list[Thing]]:
        """The planets whose defence somebody brought to 0, by who did so last."""
        found: dict[str, list[Thing]] = {}
        for thing in self._living:
            if thing.tac.suppressed_by is not None:
                found.setdefault(thing.tac.suppressed_by, []).append(thing)
        return found

    @cached_property
    def marks(self) -> frozenset[str]:
        """What can be paid for, as ``name@step``: wrecks and silenced planets."""
        wrecks = {f"{wreck.name}@{wreck.tac.dead_at}" for wreck in self.wrecks}
        silenced = (planet for planets in self.silenced_by.values() for planet in planets)
        return frozenset(wrecks | {f"{p.name}@{p.tac.suppressed_at}" for p in silenced})

    @cached_property
    def arrivals(self) -> dict[str, list[Thing]]:
        """The living starships that entered a foreign quadrant of late, by its owner."""
        found: dict[str, list[Thing]] = {}
        for thing in self._living:
            late = thing.nav.entered_at < self.step - LEDGER_STEPS
            if thing.kind == "starship" and not late and self.is_abroad(thing):
                found.setdefault(self.owner(thing.nav), []).append(thing)
        return found

    @cached_property
    def _living(self) -> list[Thing]:
        return [self.objects[n] for n in self.names if self.objects[n].tac.dead_at is None]

    @cached_property
    def of(self) -> dict[tuple[str, str], list[Thing]]:
        """The living objects by race and kind, in the order of their names."""
        found: dict[tuple[str, str], list[Thing]] = {}
        for thing in self._living:
            found.setdefault((thing.race, thing.kind), []).append(thing)
        return found

    def nearest(self, x: int, y: int, things: list[Thing]) -> Thing | None:
        """Return the nearest of some objects; of two at one distance the first by name."""
        nearest = min(
            ((dist(thing.nav.x - x, thing.nav.y - y), thing.name) for thing in things),
            default=None,
        )
        return None if nearest is None else self.objects[nearest[1]]

    def random(self, *keys: object) -> int:
        """Return the random number of the step being computed for a purpose."""
        return rng(self.seed, self.step, *keys)


def _around(cells: Mapping[tuple[int, int], Found], x: int, y: int, reach: int) -> Iterator[Found]:
    """Go through what the cells have that come within ``reach`` mu of a place."""
    rows = range((y - reach) // CELL, (y + reach) // CELL + 1)
    for column in range((x - reach) // CELL, (x + reach) // CELL + 1):
        for row in rows:
            if (column, row) in cells:
                yield cells[column, row]


def _within(things: Iterable[Thing], x: int, y: int, reach: int) -> Iterator[tuple[int, Thing]]:
    """Go through those within ``reach`` mu of a place, with their distances."""
    # The root is rounded down, so a distance is at most ``reach`` just below the next square.
    beyond = (reach + 1) ** 2
    for thing in things:
        nav = thing.nav
        across, up = nav.x - x, nav.y - y
        square = across * across + up * up
        if square < beyond:
            yield isqrt(square), thing


def gap(one: Thing, other: Thing) -> int:
    """Return the distance of two objects in mu."""
    return dist(other.nav.x - one.nav.x, other.nav.y - one.nav.y)


def maxima(thing: Thing) -> tuple[int, int, int, int]:
    """Return hull, shield for each facing, top speed and ammunition that a ship may have."""
    design = tables.design_of(thing.race, thing.kind)
    shield, hull, _reactor, engine, _weapons, magazine = thing.com.upgrades
    ammo = design.ammo * (100 + 25 * magazine) // 100
    return design.hull + 20 * hull, design.shield + 10 * shield, design.top + 3 * engine, ammo


def is_full(thing: Thing, tac: Tac) -> bool:
    """Tell whether a docked ship has nothing left to wait for."""
    design = tables.design_of(thing.race, thing.kind)
    hull, _shield, _top, ammo = maxima(thing)
    return (
        tac.hull >= hull
        and tac.energy * 100 >= design.energy * 90
        and tac.supplies >= 450
        and tac.ammo >= ammo
    )
