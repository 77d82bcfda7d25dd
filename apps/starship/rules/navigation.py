"""NAV: where starships go (design, section 6.1).

A unit reads the old state and what the captain ordered, and returns the group it writes.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from apps.starship.rules import tables
from apps.starship.rules.arithmetic import CIRCLE, UNIT, angdiff, bearing, cos10, dist, sin10
from apps.starship.rules.commands import Command
from apps.starship.rules.geography import NEUTRAL
from apps.starship.rules.objects import Logbook, Nav, Thing
from apps.starship.rules.state import View, maxima

SPEED_MAX = 100
BERTH = 10 * UNIT
"""How far from the middle of a planet or starbase the autopilot stops, in mu."""
CREEP = 10
"""The least speed of the autopilot on its last steps."""
SHARP_TURN = 450
SHARP_TURN_RANGE = 500 * UNIT
SHARP_TURN_SPEED = 30
LOW_ENERGY = 40
LOW_ENERGY_SPEED = 20


def step_distance(speed: int) -> int:
    """Return how far a ship goes in a step, in mu: the square of its speed."""
    return 10 * speed * speed


@lru_cache(maxsize=64)
def _ways(decel: int) -> tuple[int, ...]:
    """Return, for each speed, the way of a step at it and of stopping afterwards."""
    ways = []
    for speed in range(SPEED_MAX + 1):
        way = step_distance(speed)
        while speed > 0:
            speed = max(0, speed - decel)
            way += step_distance(speed)
        ways.append(way)
    return tuple(ways)


def stop_distance(speed: int, decel: int) -> int:
    """Return the way a ship goes until it stands, in mu.

    >>> stop_distance(60, 8)
    72800
    """
    return _ways(decel)[speed] - step_distance(speed)


def turn_limit(turn: int, speed: int, engines: bool = False) -> int:
    """Return how far a ship turns in a step: the faster, the less.

    ``turn`` is the limit at rest, ``engines`` whether the engines have the power.
    """
    limit = max(20, turn * (110 - speed) // 110)
    return limit * 110 // 100 if engines else limit


def navigate(view: View, ship: Thing, orders: tuple[Command, ...]) -> Nav:
    """Return the next NAV of a starship; what cannot move keeps its own."""
    if ship.kind != "starship":
        return ship.nav
    nav = ship.nav.copy()
    log = Logbook(view.step, nav.log)
    for order in orders:
        _carry_out(nav, order)
    goal = _goal(view, nav, log)
    cap = _cap(ship)
    if goal is not None:
        cap = _autopilot(view, ship, nav, goal, cap)
    _move(view, ship, nav, cap, log)
    _cross_border(view, ship, nav, log)
    nav.log = log.close()
    return nav


def _carry_out(nav: Nav, order: Command) -> None:
    if order.name == "course":
        nav.want_heading, nav.dest, nav.point = int(order.args[0]), None, None
    elif order.name == "dest":
        nav.dest, nav.point = str(order.args[0]), None
    elif order.name == "course_to":
        nav.dest, nav.point = None, (int(order.args[0]), int(order.args[1]))
    elif order.name == "speed":
        nav.want_speed = int(order.args[0])


def _goal(view: View, nav: Nav, log: Logbook) -> tuple[int, int] | None:
    if nav.dest is None:
        return nav.point
    found = view.living(nav.dest)
    if found is None:
        log.note("dest_gone", name=nav.dest)
        nav.dest = None
        return None
    return found.nav.x, found.nav.y


def _cap(ship: Thing) -> int:
    top = maxima(ship)[2]
    cap = top * max(20, ship.tac.systems[tables.ENG]) // 100
    return min(cap, LOW_ENERGY_SPEED) if ship.tac.energy < LOW_ENERGY else cap


def _autopilot(view: View, ship: Thing, nav: Nav, goal: tuple[int, int], cap: int) -> int:
    """Head for the goal; return the speed that still lets the ship stop at it, and turn to it."""
    dx, dy = goal[0] - nav.x, goal[1] - nav.y
    way = dist(dx, dy)
    nav.want_heading = bearing(dx, dy)
    found = view.living(nav.dest)
    if found is not None and found.kind != "starship":
        room = way - BERTH
        if room <= 0:
            cap = 0
        else:
            ways = _ways(tables.STARSHIPS[ship.race].decel)
            fits = bisect_right(ways, room, 0, cap + 1) - 1
            cap = min(cap, max(fits, CREEP))
    if abs(angdiff(nav.want_heading, nav.heading)) > SHARP_TURN and way < SHARP_TURN_RANGE:
        cap = min(cap, SHARP_TURN_SPEED)
    return cap


def _move(view: View, ship: Thing, nav: Nav, cap: int, log: Logbook) -> None:
    design, engines = tables.STARSHIPS[ship.race], ship.tac.power == "engines"
    limit = turn_limit(design.turn, nav.speed, engines)
    turn = max(-limit, min(limit, angdiff(nav.want_heading, nav.heading)))
    nav.heading = (nav.heading + turn) % CIRCLE
    target = min(nav.want_speed, cap)
    if nav.speed < target:
        nav.speed = min(target, nav.speed + design.accel + (2 if engines else 0))
    else:
        nav.speed = max(target, nav.speed - design.decel)
    way, last = step_distance(nav.speed), view.geography.size - 1
    x = nav.x + (way * sin10(nav.heading) + 500_000) // 1_000_000
    y = nav.y + (way * cos10(nav.heading) + 500_000) // 1_000_000
    nav.x, nav.y = max(0, min(last, x)), max(0, min(last, y))
    if (nav.x, nav.y) != (x, y):
        nav.speed = 0
        log.note("barrier")


def _cross_border(view: View, ship: Thing, nav: Nav, log: Logbook) -> None:
    before, after = ship.nav, view.geography.place(nav.x, nav.y)
    if after == view.geography.place(before.x, before.y):
        return
    nav.entered_at = view.step
    left, entered = view.owner(before), view.owner(nav)
    if left == entered:
        return
    if left not in (NEUTRAL, ship.race):
        log.note("border_out", race=left)
    if entered not in (NEUTRAL, ship.race):
        log.note("border_in", race=entered, quadrant=view.geography.name(*after))
