"""What a ship sees of the others: one row for each, as every list and map of a screen shows it.

What is the same for all who look is worked out once for a state; a ship adds distance, bearing and
stance. Rows are shared between the screens of a state: nobody may change them.
"""

from __future__ import annotations

import math
from math import atan2, isqrt
from operator import itemgetter
from typing import Any, NamedTuple

from apps.starship.display.figures import degrees, factor, units
from apps.starship.rules import tables
from apps.starship.rules.arithmetic import CIRCLE, UNIT
from apps.starship.rules.counted import counted
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import View
from apps.starship.rules.theme import INDEPENDENT, Theme

SENSORS_MIN = 40
"""Percent of sensor health below which only own race and what is near is seen."""
BLIND_RANGE = 1_000 * UNIT

_TENTHS = 1_800 / math.pi
"""Tenths of a degree to a radian."""

_SPOKEN = {
    "friend": "friend",
    "enemy": "potential enemy",
    "attacker": "attacker",
    "neutral": "neutral",
}


class _Row(NamedTuple):
    """A living object: what a contact needs in the simulation's numbers, and its common part."""

    name: str
    race: str
    x: int
    y: int
    calls: bool
    common: dict[str, Any]


Seen = tuple[int, dict[str, Any]]
"""A contact with its distance in mu."""


def captain_of(thing: Thing) -> str:
    """Return who commands an object: human, computer, or the computer as caretaker."""
    if thing.meta.captain is not None:
        return "human"
    return "caretaker" if thing.meta.human else "computer"


def full_name_of(theme: Theme, thing: Thing) -> str:
    """Return the full name of an object: race, kind and short name."""
    return theme.full_name(thing.race, thing.kind, thing.name)


class Contacts:
    """All living objects of a state, as contacts of whoever looks."""

    def __init__(self, view: View) -> None:
        self._rows = [
            self._row(view, view.objects[name])
            for name in view.names
            if view.objects[name].tac.dead_at is None
        ]

    @staticmethod
    def _row(view: View, thing: Thing) -> _Row:
        nav = thing.nav
        common = {
            "name": thing.name,
            "full_name": full_name_of(view.state.theme, thing),
            "race": thing.race,
            "kind": thing.kind,
            "x": units(nav.x),
            "y": units(nav.y),
            "distance": 0.0,
            "bearing": 0.0,
            "relative": 0.0,
            "heading": degrees(nav.heading),
            "speed": factor(nav.speed),
            "stance": "friend",
            "fleet": thing.com.responding_to,
            "distress": False,
            "captain": captain_of(thing),
            "label": "",
            "valid_target": False,
        }
        return _Row(thing.name, thing.race, nav.x, nav.y, view.calls_for_help(thing), common)

    def seen_by(self, me: Thing) -> list[Seen]:
        """Return what a ship sees, nearest first, without itself.

        Written out, for it is most of a screen: a hundred contacts for each of hundreds of players
        in a step. With a call for each value it took 5 us a contact instead of 2.
        """
        x, y, heading, race, name = me.nav.x, me.nav.y, me.nav.heading, me.race, me.name
        reach = None if me.tac.systems[tables.SEN] >= SENSORS_MIN else BLIND_RANGE
        attackers, found = me.tac.attackers, []
        for row_name, row_race, row_x, row_y, calls, common in self._rows:
            dx, dy = row_x - x, row_y - y
            way = isqrt(dx * dx + dy * dy)
            own = row_race == race
            if row_name == name or (reach is not None and not own and way > reach):
                continue
            angle = round(atan2(dx, dy) * _TENTHS) % CIRCLE
            contact = common.copy()
            contact["distance"] = (way + 50) // 100 / 10
            contact["bearing"] = angle / 10
            contact["relative"] = (angle - heading) % CIRCLE / 10
            if own:
                stance = "friend"
                # A call is heard by one's own side only.
                contact["distress"] = calls
            else:
                neutral = row_race == INDEPENDENT
                attacks = row_name in attackers
                stance = "attacker" if attacks else "neutral" if neutral else "enemy"
                contact["stance"] = stance
                contact["valid_target"] = not neutral
            contact["label"] = (
                f"{contact['full_name']}, {_SPOKEN[stance]}, {counted(way // UNIT, 'unit')},"
                f" bearing {(angle + 5) // 10 % 360:03d}"
            )
            found.append((way, contact))
        # Of two at one distance the first by name: rows are in that order, and sorting keeps it.
        found.sort(key=itemgetter(0))
        return found
