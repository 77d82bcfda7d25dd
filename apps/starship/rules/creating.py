"""New games and new objects: everything comes from the seed (design, sections 2.3, 2.4 and 10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from apps.starship.errors import ScenarioError
from apps.starship.rules import tables
from apps.starship.rules.arithmetic import UNIT, dist, rng
from apps.starship.rules.commands import Refusal
from apps.starship.rules.geography import NEUTRAL, QUADRANT, Geography
from apps.starship.rules.objects import Com, Meta, Nav, Tac, Thing, Weapon
from apps.starship.rules.state import Settings, State, maxima
from apps.starship.rules.theme import INDEPENDENT, NAME, RACES, RESERVED, Theme

APART = 60 * UNIT
"""The least distance of two fixed objects, in mu."""
PLANET_MARGIN = 40 * UNIT
BERTH_EAST = 5 * UNIT
TRUCE_STEPS = 24
FIRST_MISSION_STEPS = 5
STOCK_START = 500
REDRAWS_MAX = 10_000
"""How often the place of a fixed object is drawn before the galaxy is called full."""


def new_thing(
    number: int, name: str, race: str, kind: str, place: tuple[int, int], step: int,
    captain: int | None = None, human: bool = False,
) -> Thing:  # fmt: skip
    """Return a new object as its design has it: starts are the maxima, ships keep a truce."""
    design = tables.design_of(race, kind)
    weapons = tuple(Weapon(m.id, m.type, m.centre, m.half_arc) for m in design.mounts)
    tac = Tac(
        design.energy, (design.shield,) * 6, design.hull, design.crew,
        design.supplies, design.ammo, weapons, hits_through=step,
    )  # fmt: skip
    com = Com(seen_through=step, deliveries_through=step)
    if kind == "starship":
        tac.truce_until = step + TRUCE_STEPS
        com.next_mission_at = step + FIRST_MISSION_STEPS
    elif kind == "planet":
        com.stock = STOCK_START
    meta = Meta(number, name, race, kind, step, captain, human)
    return Thing(meta, Nav(place[0], place[1], entered_at=step), tac, com)


# --- names ---------------------------------------------------------------------------------


def check_name(state: State, name: str) -> Refusal | None:
    """Tell why a ship cannot have a name, None if it can."""
    if not NAME.fullmatch(name):
        text = "A name has 2 to 16 letters, digits, - or _ and begins with a letter. No spaces."
        return Refusal("E_NAME", text)
    if name.lower() in RESERVED or state.theme.is_race(name):
        return Refusal("E_NAME", f"{name} means something else in orders.")
    if not is_free(state, name):
        return Refusal("E_TAKEN", "Name in use.")
    return None


def is_free(state: State, name: str) -> bool:
    """Tell whether no object has a name, nor had it of late."""
    lower = name.lower()
    taken = any(lower == other.lower() for other in state.objects)
    # A starbase in ruins will be built again under its name.
    taken = taken or any(lower == ruin[2].lower() for ruin in state.ruins)
    return not taken and state.names.get(lower, 0) <= state.step


def automatic_name(state: State, race: str, avoid: Iterable[str] = ()) -> str:
    """Return the next name of a race's list that is free, with a number when all are in use.

    ``avoid`` are names in lower case that it must not be either.
    """
    names = state.theme.races[race].starships
    taken = {*avoid, *(name.lower() for name in state.objects)}
    taken |= {name for name, free in state.names.items() if free > state.step}
    taken |= {ruin[2].lower() for ruin in state.ruins}
    start = rng(state.seed, state.step, "name", race) % len(names)
    for round_ in range(1, len(taken) + 2):
        for place in range(len(names)):
            name = names[(start + place) % len(names)]
            if round_ > 1:
                suffix = f"-{round_}"
                name = name[: 16 - len(suffix)] + suffix
            if name.lower() not in taken:
                return name
    raise ScenarioError(f"race {race} has no name left")


# --- new ships -----------------------------------------------------------------------------


def berth(state: State, race: str, key: str) -> tuple[int, int] | None:
    """Return the place beside an own starbase, without one beside a planet, None without both."""
    for kind in ("starbase", "planet"):
        names = sorted(
            thing.name
            for thing in state.objects.values()
            if thing.race == race and thing.kind == kind and thing.alive
        )
        if names:
            chosen = state.objects[names[rng(state.seed, state.step, "berth", key) % len(names)]]
            last = state.settings.across * QUADRANT - 1
            return min(last, chosen.nav.x + BERTH_EAST), chosen.nav.y
    return None


def add_ship(
    state: State, race: str, name: str, captain: int | None = None, human: bool = False
) -> State:
    """Return the state with a new starship; its name was checked."""
    place = berth(state, race, name)
    if place is None:
        raise ScenarioError(f"race {race} has neither a starbase nor a planet")
    return _added(state, name, race, "starship", place, captain, human)


RECORD_LENGTH = 10
"""Points, score, kills, missions done, and the level of each of the six tracks."""


def is_record(numbers: Sequence[object]) -> bool:
    """Tell whether a ship may bring numbers along: what a unit's result could not have it may not.

    >>> is_record((0,) * 10), is_record((0,) * 9), is_record((0, 0, 0, 0, 9, 0, 0, 0, 0, 0))
    (True, False, False)
    """
    good = [number for number in numbers if type(number) is int and 0 <= number < 2**63]
    return len(good) == len(numbers) == RECORD_LENGTH and max(good[4:]) <= tables.LEVEL_MAX


def record_of(ship: Thing) -> tuple[int, ...]:
    """Return what a starship takes along to another game; `restore_ship` gives it to one."""
    com = ship.com
    return com.points, com.score, com.kills, com.missions_done, *com.upgrades


def restore_ship(state: State, name: str, record: tuple[int, ...]) -> State:
    """Return the state with a new ship that has what it earned in another game, and is whole."""
    points, score, kills, missions_done, *upgrades = record
    ship = state.objects[name]
    com = ship.com.changed(
        {
            "points": points, "score": score, "kills": kills,
            "missions_done": missions_done, "upgrades": tuple(upgrades),
        }
    )  # fmt: skip
    hull, shield, _top, ammo = maxima(ship._replace(com=com))
    tac = ship.tac.changed({"hull": hull, "shields": (shield,) * 6, "ammo": ammo})
    restored = ship._replace(com=com, tac=tac)
    return replace(state, objects={**state.objects, name: restored})


def _added(
    state: State, name: str, race: str, kind: str, place: tuple[int, int],
    captain: int | None = None, human: bool = False,
) -> State:  # fmt: skip
    made = new_thing(state.next_id, name, race, kind, place, state.step, captain, human)
    return State(
        state.seed, state.step, state.settings, state.theme,
        {**state.objects, name: made}, state.next_id + 1, state.ruins, state.names,
    )  # fmt: skip


# --- new games -----------------------------------------------------------------------------


def new_game(seed: int, theme: Theme, settings: Settings | None = None) -> State:
    """Return the galaxy at step 0. Raises `ScenarioError` for settings that cannot be."""
    settings = settings or Settings()
    settings.validate()
    return _Founder(seed, theme, settings).found()


class _Founder:
    """Places the objects of a new game, one after another."""

    def __init__(self, seed: int, theme: Theme, settings: Settings) -> None:
        self.seed, self.settings = seed, settings
        self.geography = Geography(settings.across)
        self.objects: dict[str, Thing] = {}
        self.empty = State(seed, 0, settings, theme, self.objects, 1)
        # Fixed objects by the quadrant they are in: neighbours are looked for around it only.
        self._fixed: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def found(self) -> State:
        settings = self.settings
        for race in RACES:
            self.place_bases(race)
        for race in RACES:
            self.place_planets(race, race, settings.planets)
        self.place_planets(INDEPENDENT, NEUTRAL, settings.free_planets)
        for race in RACES:
            self.place_ships(race)
        return State(self.seed, 0, settings, self.empty.theme, self.objects, len(self.objects) + 1)

    def add(self, race: str, kind: str, place: tuple[int, int], name: str) -> None:
        self.objects[name] = new_thing(len(self.objects) + 1, name, race, kind, place, 0)
        if kind != "starship":
            cell = self.geography.place(*place)
            self._fixed.setdefault(cell, []).append(place)

    def names(self, race: str, kind: str, count: int) -> list[str]:
        """The first names of a list, numbered when it is too short."""
        names = self.empty.theme.races[race].names(kind)
        found = []
        for number in range(count):
            name, turn = names[number % len(names)], number // len(names)
            suffix = f"-{turn + 1}" if turn else ""
            found.append(name[: 16 - len(suffix)] + suffix)
        return found

    def place_bases(self, race: str) -> None:
        quadrants = self.geography.owned(race)
        if len(quadrants) < self.settings.bases:
            raise ScenarioError(f"a race has {len(quadrants)} quadrants, one for each starbase")
        for number, name in enumerate(self.names(race, "starbase", self.settings.bases)):
            place = quadrants.pop(rng(self.seed, 0, "base", race, number) % len(quadrants))
            self.add(race, "starbase", self.geography.centre(*place), name)

    def place_planets(self, race: str, owner: str, count: int) -> None:
        quadrants = self.geography.owned(owner)
        inside = QUADRANT - 2 * PLANET_MARGIN
        for number, name in enumerate(self.names(race, "planet", count)):
            for counter in range(REDRAWS_MAX):
                r = rng(self.seed, 0, "planet", race, number, counter)
                x, y = self.geography.corner(*quadrants[r % len(quadrants)])
                place = (
                    x + PLANET_MARGIN + (r >> 8) % inside,
                    y + PLANET_MARGIN + (r >> 32) % inside,
                )
                if self.is_apart(place):
                    self.add(race, "planet", place, name)
                    break
            else:
                raise ScenarioError(f"there is no room for {count} planets of race {race}")

    def is_apart(self, place: tuple[int, int]) -> bool:
        column, row = self.geography.place(*place)
        around = [(column + dx, row + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        return all(
            dist(place[0] - x, place[1] - y) >= APART
            for cell in around
            for x, y in self._fixed.get(cell, ())
        )

    def place_ships(self, race: str) -> None:
        bases = self.names(race, "starbase", self.settings.bases)
        for number, name in enumerate(self.names(race, "starship", self.settings.ships)):
            base = bases[rng(self.seed, 0, "ship", race, number) % len(bases)]
            nav = self.objects[base].nav
            self.add(race, "starship", (nav.x + BERTH_EAST, nav.y), name)
