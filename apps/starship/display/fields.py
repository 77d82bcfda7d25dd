"""What lies around a ship and in the galaxy: beams, explosions, borders, territories, fleets."""

from __future__ import annotations

from typing import Any

from apps.starship.display.figures import units
from apps.starship.display.fleets import fleets_of
from apps.starship.display.galaxy import territories_of
from apps.starship.rules.arithmetic import UNIT
from apps.starship.rules.geography import QUADRANT, Geography
from apps.starship.rules.objects import Shot, Thing
from apps.starship.rules.state import View

Box = tuple[int, int, int, int]
"""A field in mu: from x and y to x and y."""


def box_around(geography: Geography, x: int, y: int, radius: int) -> Box:
    """Return the field of ``radius`` units around a place, within the galaxy."""
    reach, last = radius * UNIT, geography.size
    return max(0, x - reach), max(0, y - reach), min(last, x + reach), min(last, y + reach)


def _overlaps(box: Box, x1: int, y1: int, x2: int, y2: int) -> bool:
    return (
        max(x1, x2) >= box[0]
        and max(y1, y2) >= box[1]
        and min(x1, x2) <= box[2]
        and min(y1, y2) <= box[3]
    )


class Fields:
    """What is the same for all ships of a state; each method cuts out what lies in a box."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.geography = view.geography
        step = view.state.step
        self._beams = [
            (shooter, target, beam)
            for name, shots in sorted(view.shots_at.items())
            if (target := view.objects.get(name)) is not None
            for by, shot in shots
            if shot.step == step
            for shooter in [view.objects[by]]
            for beam in [_beam(shooter, target, shot)]
        ]
        self._explosions = [
            (wreck.nav.x, wreck.nav.y, _explosion(wreck, step)) for wreck in view.wrecks
        ]
        self.territories = territories_of(self.geography)
        self.fleets = fleets_of(view)

    def beams(self, box: Box) -> list[dict[str, Any]]:
        """Return the shots of the last step that cross a field."""
        return [
            beam
            for shooter, target, beam in self._beams
            if _overlaps(box, shooter.nav.x, shooter.nav.y, target.nav.x, target.nav.y)
        ]

    def explosions(self, box: Box) -> list[dict[str, Any]]:
        """Return the wrecks in a field; ``age`` is the steps since each was destroyed."""
        return [row for x, y, row in self._explosions if _overlaps(box, x, y, x, y)]

    def borders(self, box: Box) -> list[dict[str, Any]]:
        """Return the edges of quadrants in a field; ``outer`` ones are the galactic barrier."""
        x1, y1, x2, y2 = box
        size, found = self.geography.size, []
        for x in range(-(-x1 // QUADRANT) * QUADRANT, x2 + 1, QUADRANT):
            found.append(_border(x, y1, x, y2, x in (0, size)))
        for y in range(-(-y1 // QUADRANT) * QUADRANT, y2 + 1, QUADRANT):
            found.append(_border(x1, y, x2, y, y in (0, size)))
        return found

    def quadrants(self, box: Box) -> list[dict[str, Any]]:
        """Return the quadrants that a field touches, each with its centre."""
        west, south = self.geography.place(box[0], box[1])
        east, north = self.geography.place(box[2], box[3])
        return [
            _quadrant(self.geography, column, row)
            for row in range(north, south + 1)
            for column in range(west, east + 1)
        ]


def _beam(shooter: Thing, target: Thing, shot: Shot) -> dict[str, Any]:
    kind = next((w.type for w in shooter.tac.weapons if w.id == shot.weapon), "")
    return {
        "x1": units(shooter.nav.x),
        "y1": units(shooter.nav.y),
        "x2": units(target.nav.x),
        "y2": units(target.nav.y),
        "weapon": shot.weapon,
        "type": kind,
        "shooter": shooter.name,
        "target": target.name,
        "hit": shot.damage > 0,
    }


def _explosion(wreck: Thing, step: int) -> dict[str, Any]:
    age = max(0, step - (wreck.tac.dead_at or 0))
    return {"x": units(wreck.nav.x), "y": units(wreck.nav.y), "name": wreck.name, "age": age}


def _border(x1: int, y1: int, x2: int, y2: int, outer: bool) -> dict[str, Any]:
    return {"x1": units(x1), "y1": units(y1), "x2": units(x2), "y2": units(y2), "outer": outer}


def _quadrant(geography: Geography, column: int, row: int) -> dict[str, Any]:
    x, y = geography.centre(column, row)
    name = geography.name(column, row)
    return {"name": name, "owner": geography.owner(x, y), "x": units(x), "y": units(y)}
