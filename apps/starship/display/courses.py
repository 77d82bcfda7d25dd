"""Where a ship goes and is to go: navigation, the target it looks at, and its mission."""

from __future__ import annotations

from typing import Any

from apps.starship.display.condition import bearing_on, truce_of
from apps.starship.display.figures import degrees, direction, factor, units
from apps.starship.rules import tables
from apps.starship.rules.arithmetic import dist
from apps.starship.rules.messages import task
from apps.starship.rules.missions import DEFEND_STEPS, ESCORT_STEPS, RESCUE_STEPS, next_stop
from apps.starship.rules.navigation import step_distance, stop_distance, turn_limit
from apps.starship.rules.objects import Mission, Thing
from apps.starship.rules.state import View, gap, maxima

_NEEDED = {"escort": ESCORT_STEPS, "defend": DEFEND_STEPS, "rescue": RESCUE_STEPS}


def nav_of(me: Thing) -> dict[str, Any]:
    """Return course and speed as they are and as they are wanted."""
    nav, design = me.nav, tables.design_of(me.race, me.kind)
    moves = me.kind == "starship"
    limit = turn_limit(design.turn, nav.speed, me.tac.power == "engines") if moves else 0
    stopping = stop_distance(nav.speed, design.decel) if moves else 0
    point = None if nav.point is None else {"x": units(nav.point[0]), "y": units(nav.point[1])}
    return {
        "course": degrees(nav.heading),
        "speed": factor(nav.speed),
        "want_course": degrees(nav.want_heading),
        "want_speed": factor(nav.want_speed),
        "dest": nav.dest,
        "point": point,
        "turn_limit": degrees(limit),
        "stopping": units(stopping),
        "top_speed": factor(maxima(me)[2]),
    }


def steps_to(way: int, speed: int) -> int | None:
    """Return how many steps ``way`` mu take at a speed in tenths, None for a ship at rest."""
    return -(-way // step_distance(speed)) if speed > 0 else None


def target_of(view: View, me: Thing, target: Thing, contact: dict[str, Any]) -> dict[str, Any]:
    """Return what the target panel says of an object: its contact and more.

    ``lock_refusal`` says why no weapon can be locked on it, ``""`` if one can.
    """
    way, refusal = gap(me, target), ""
    if not contact["valid_target"]:
        refusal = f"{target.name} is not a valid target."
    elif way > view.lock_range(me):
        refusal = f"{target.name} is beyond sensor range."
    return {
        **contact,
        "eta": steps_to(way, me.nav.speed),
        "truce": truce_of(view, target),
        "bears": bearing_on(view, me, target),
        "lock_refusal": refusal,
    }


def mission_of(view: View, me: Thing) -> dict[str, Any] | None:
    """Return the mission of a ship.

    ``target`` and the place are where it leads next: for supplies that are not aboard yet, that is
    a starbase. ``final`` is the object the task names. ``stages`` are the parts of it, ``needed``
    the steps that ``progress`` must reach, 0 where it does not count.
    """
    mission = me.com.mission
    if mission is None:
        return None
    name, x, y = _place(view, me, mission)
    dx, dy = x - me.nav.x, y - me.nav.y
    return {
        "kind": mission.kind,
        "task": task(mission.kind, mission.target),
        "target": name,
        "x": units(x),
        "y": units(y),
        "distance": units(dist(dx, dy)),
        "bearing": degrees(direction(dx, dy)),
        "steps_left": max(0, mission.limit - view.state.step),
        "reward": mission.reward,
        "stage": mission.stage,
        "progress": mission.progress,
        "final": mission.target,
        "stages": len(mission.places) or (2 if mission.kind in ("deliver", "rescue") else 1),
        "needed": _NEEDED.get(mission.kind, 0),
    }


def _place(view: View, me: Thing, mission: Mission) -> tuple[str | None, int, int]:
    """Return where a mission leads next; if nowhere, where the ship is."""
    if len(mission.places) > mission.stage or not mission.places:
        name, point = next_stop(view, me, mission)
        if point is not None:
            return None, *point
        # Also a wreck has a place.
        goal = None if name is None else view.objects.get(name)
        if goal is not None:
            return goal.name, goal.nav.x, goal.nav.y
    return None, me.nav.x, me.nav.y
