"""Fleets: ships of a race that are near each other, ringed on the map and in the long-range scan.

Nothing of them is stored: a fleet is only something seen, the same in both displays.
"""

from __future__ import annotations

from typing import Any

from apps.starship.display.figures import units
from apps.starship.rules.arithmetic import UNIT, dist
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import View
from apps.starship.rules.theme import RACES

FLEET_RANGE = 150 * UNIT
"""How near to each other, in mu, ships of a race are for a fleet (design, section 9)."""
FLEET_SHIPS_MIN = 3
"""So many ships near each other are a fleet (design, section 9)."""


def fleets_of(view: View) -> list[dict[str, Any]]:
    """Return the fleets: three or more ships of a race, each near another one of them.

    A fleet has no name of its own: it is called by the first of its ships. ``x``, ``y`` and
    ``radius`` are a circle around it, in units.
    """
    found = []
    for race in RACES:
        left = {ship.name: ship for ship in view.of.get((race, "starship"), ())}
        while left:
            first = next(iter(left))
            ships = _chain(view, left.pop(first), left)
            if len(ships) >= FLEET_SHIPS_MIN:
                found.append(_fleet_row(race, ships))
    return found


def _chain(view: View, first: Thing, left: dict[str, Thing]) -> list[Thing]:
    """Take from ``left`` who is near ``first``, or near one who is."""
    ships = [first]
    for ship in ships:
        for _gap, other in view.near(ship.nav.x, ship.nav.y, FLEET_RANGE):
            if other.name in left:
                ships.append(left.pop(other.name))
    return ships


def _fleet_row(race: str, ships: list[Thing]) -> dict[str, Any]:
    x = sum(ship.nav.x for ship in ships) // len(ships)
    y = sum(ship.nav.y for ship in ships) // len(ships)
    reach = max(dist(ship.nav.x - x, ship.nav.y - y) for ship in ships)
    names = sorted(ship.name for ship in ships)
    return {
        "name": names[0],
        "race": race,
        "x": units(x),
        "y": units(y),
        "radius": units(reach),
        "ships": names,
    }
