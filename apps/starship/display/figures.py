"""Numbers as captains read them, and the colours of gauges (design, section 14.3).

A screen has floats with one decimal, which are for eyes only: nothing of them goes back into the
simulation.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from apps.starship.rules.arithmetic import CIRCLE


class Limits(NamedTuple):
    """Percentages below which a gauge is yellow, and red."""

    yellow: int
    red: int


SHIELDS = Limits(60, 25)
ENERGY = Limits(40, 20)
HULL = Limits(60, 30)
CREW = Limits(60, 30)
SUPPLIES = Limits(30, 12)
AMMO = Limits(34, 1)
"""Red with the last round gone: a round is at least one percent of every magazine."""
SYSTEMS = Limits(70, 40)


def degrees(tenths: int) -> float:
    """Return an angle in degrees.

    >>> degrees(451)
    45.1
    """
    return tenths / 10


def factor(tenths: int) -> float:
    """Return a speed as a warp factor."""
    return tenths / 10


def units(mu: int) -> float:
    """Return a distance or a coordinate in units, with one decimal.

    >>> units(72_850)
    72.9
    """
    return (mu + 50) // 100 / 10


def percent_of(value: int, most: int) -> int:
    """Return a share in percent, rounded down; of nothing, 100."""
    return value * 100 // most if most > 0 else 100


def level(percent: int, limits: Limits) -> str:
    """Return the colour of a gauge: green, yellow or red."""
    if percent < limits.red:
        return "red"
    return "yellow" if percent < limits.yellow else "green"


def gauge(value: int, most: int, limits: Limits) -> dict[str, Any]:
    """Return a gauge: value, maximum, percent and colour.

    >>> gauge(3, 12, AMMO)
    {'value': 3, 'max': 12, 'percent': 25, 'level': 'yellow'}
    """
    percent = percent_of(value, most)
    return {"value": value, "max": most, "percent": percent, "level": level(percent, limits)}


def direction(dx: int, dy: int) -> int:
    """Return the bearing of a place that lies ``dx`` east and ``dy`` north, in tenths of a degree.

    What `apps.starship.rules.arithmetic.bearing` returns, but for ties of rounding, at a tenth of
    its cost: a screen has a hundred of them, and none decides anything.

    >>> direction(300_000, 400_000), direction(0, -5), direction(0, 0)
    (369, 1800, 0)
    """
    return round(math.degrees(math.atan2(dx, dy)) * 10) % CIRCLE
