"""Numbers of the game: what races, bases, planets and weapons can do, and what upgrades add.

Angles are tenths of a degree, distances units, speeds tenths of a warp factor; everything else is
in whole units or percent.
"""

from __future__ import annotations

from dataclasses import dataclass

SYSTEMS = ("ENG", "RCT", "SHG", "SEN")
"""Engines, reactor, shield generator and sensors: the order in which their health is kept."""
ENG, RCT, SHG, SEN = range(4)

POWERS = ("balanced", "weapons", "shields", "engines")
"""What the captain gives preference to."""

TRACKS = ("shield", "hull", "reactor", "engine", "weapons", "magazine")
"""What points can buy; also the order in which computer captains buy."""
LEVEL_MAX = 5

FACINGS = ("bow", "starboard bow", "starboard quarter", "stern", "port quarter", "port bow")
"""The six shields, clockwise from the bow."""


@dataclass(frozen=True, slots=True)
class WeaponType:
    """A type of weapon.

    ``range`` in units, ``base`` the damage at no distance, ``edge`` the percent of it at full
    range. ``chance`` is None for what always hits, else (distance divisor, speed divisor): 95 less
    the two quotients is the percentage. ``recycle`` in steps; ``energy`` and ``ammo`` for a shot.
    """

    name: str
    range: int
    base: int
    edge: int
    chance: tuple[int, int] | None
    recycle: int
    energy: int
    ammo: int


WEAPON_TYPES: dict[str, WeaponType] = {
    made.name: made
    for made in (
        WeaponType("phaser", 150, 20, 25, None, 2, 20, 0),
        WeaponType("disruptor", 120, 26, 50, None, 2, 24, 0),
        WeaponType("torpedo", 250, 45, 100, (5, 3), 4, 10, 1),
        WeaponType("plasma", 200, 100, 40, (4, 3), 5, 60, 0),
        WeaponType("missile", 300, 24, 100, (8, 4), 3, 6, 1),
        WeaponType("base phaser", 200, 30, 25, None, 2, 20, 0),
        WeaponType("base torpedo", 300, 50, 100, (6, 3), 3, 10, 0),
        WeaponType("planet battery", 150, 20, 25, None, 2, 10, 0),
    )
}


@dataclass(frozen=True, slots=True)
class Mount:
    """A weapon of an object: its id, its type, where it points and how far it turns to each side.

    ``half_arc`` 1800 is all round.
    """

    id: str
    type: str
    centre: int
    half_arc: int


@dataclass(frozen=True, slots=True)
class Design:
    """What a new object of a race and kind can do; starts are the maxima.

    ``top``, ``accel`` and ``decel`` in tenths of a warp factor, ``turn`` in tenths of a degree a
    step at rest, ``reactor`` energy a step, ``shield`` and ``recharge`` for each facing.
    """

    top: int
    accel: int
    decel: int
    turn: int
    reactor: int
    energy: int
    shield: int
    recharge: int
    hull: int
    crew: int
    ammo: int
    supplies: int
    mounts: tuple[Mount, ...]


_ALL_ROUND = 1_800

STARSHIPS: dict[str, Design] = {
    "F": Design(80, 6, 8, 900, 60, 1000, 100, 3, 250, 100, 12, 500, (
        Mount("P1", "phaser", 0, 1_200), Mount("P2", "phaser", 1_800, 1_200),
        Mount("T1", "torpedo", 0, 450), Mount("T2", "torpedo", 0, 450),
    )),
    "K": Design(85, 7, 9, 1_000, 60, 900, 85, 3, 250, 100, 8, 500, (
        Mount("D1", "disruptor", 0, 600), Mount("D2", "disruptor", 0, 600),
        Mount("P1", "phaser", 1_800, 1_350), Mount("T1", "torpedo", 0, 300),
    )),
    "R": Design(75, 5, 7, 800, 66, 1_200, 120, 4, 230, 100, 0, 500, (
        Mount("L1", "plasma", 0, 600),
        Mount("P1", "phaser", 0, 1_200), Mount("P2", "phaser", 1_800, 1_200),
    )),
    "O": Design(85, 8, 10, 950, 56, 900, 75, 3, 270, 80, 30, 500, (
        Mount("M1", "missile", 0, _ALL_ROUND), Mount("M2", "missile", 0, _ALL_ROUND),
        Mount("P1", "phaser", 0, 1_350),
    )),
}  # fmt: skip
"""The starships of each race."""

STARBASE = Design(0, 0, 0, 0, 300, 5_000, 300, 8, 1_000, 500, 0, 0, (
    Mount("P1", "base phaser", 0, _ALL_ROUND), Mount("P2", "base phaser", 0, _ALL_ROUND),
    Mount("T1", "base torpedo", 0, _ALL_ROUND), Mount("T2", "base torpedo", 0, _ALL_ROUND),
))  # fmt: skip

PLANET = Design(0, 0, 0, 0, 40, 500, 0, 0, 200, 0, 0, 0, (
    Mount("B1", "planet battery", 0, _ALL_ROUND), Mount("B2", "planet battery", 0, _ALL_ROUND),
))  # fmt: skip
"""A planet's hull is its defence; at 0 it is suppressed and never destroyed."""


def design_of(race: str, kind: str) -> Design:
    """Return the design of an object."""
    if kind == "starship":
        return STARSHIPS[race]
    return STARBASE if kind == "starbase" else PLANET


def upgrade_cost(level: int) -> int:
    """Return the points from ``level`` to the next one.

    >>> upgrade_cost(2)
    150
    """
    return 50 * (level + 1)


HOSTILITY = {"FK": 35, "FO": 25, "KO": 25, "FR": 20, "KR": 20, "OR": 20}
"""Percent of the pairs of ships of two races, in the order of the alphabet, that are enemies."""

WHEELS = {"F": "DDDPPEERRAFG", "K": "DDPPAAAAAFRE", "R": "DDPPEEAAFFRG", "O": "DDAAAAPRREEF"}
"""Kinds of mission of a race by chance: D deliver, P patrol, E explore, R rendezvous or escort, A
attack, F defend, G rescue."""
