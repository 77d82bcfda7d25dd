"""Hints: a captain's first mission, told one thing at a time (design, section 10).

They depend on the state only, so whoever comes back is told what is next, and whoever knows how it
goes is never in their way. The first mission brings supplies from a starbase to a planet.
"""

from __future__ import annotations

from apps.starship.display.contacts import full_name_of
from apps.starship.display.courses import steps_to
from apps.starship.rules.arithmetic import UNIT
from apps.starship.rules.counted import counted
from apps.starship.rules.missions import next_stop
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import DOCK_RANGE, DOCK_SPEED_MAX, View, gap

PROPOSED_SPEED = "6.0"
"""What is proposed for a way: a ship keeps its energy at this speed."""


def hints_of(view: View, me: Thing) -> list[str]:
    """Return what a captain does next on a first mission, one thing to a sentence.

    Empty for ships that no captain made, after the first mission, and on missions of other kinds.
    """
    if me.kind != "starship" or not me.meta.human or not me.alive or me.com.missions_done > 1:
        return []
    mission = me.com.mission
    if me.com.missions_done == 1:
        return [] if mission is not None else _farewell()
    if mission is None:
        return _welcome(view, me)
    if mission.kind != "deliver":
        return []
    return [*_danger(view, me), *_way(view, me, mission.stage == 0)]


def _welcome(view: View, me: Thing) -> list[str]:
    wait = max(1, me.com.next_mission_at - view.state.step)
    return [
        f"Welcome aboard {me.name}. A mission comes in {_steps(wait)}.",
        "Until then look around: choose an object in a scan to see what it is.",
    ]


def _farewell() -> list[str]:
    return [
        "Well done: that was your first mission. The next one comes by itself.",
        "Points buy upgrades while the ship is docked at a starbase of its race (upgrade hull).",
    ]


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"


def _danger(view: View, me: Thing) -> list[str]:
    if not view.under_attack(me):
        return []
    if not me.tac.shields_up:
        return ["You are under attack: raise the shields (shields up) and get away."]
    return ["You are under attack: keep the shields up and call for help (distress)."]


def _way(view: View, me: Thing, loading: bool) -> list[str]:
    """Return what leads to the starbase or to the planet, whichever is next."""
    mission = me.com.mission
    assert mission is not None, "asked of ships with a mission"
    goal = view.living(next_stop(view, me, mission)[0])
    if goal is None:
        return ["There is no starbase to load supplies at: wait until one is built again."]
    full_name, way = full_name_of(view.state.theme, goal), gap(me, goal)
    if loading and view.docked_at(me) is not None:
        return [f"Docked at {full_name}: the supplies come aboard with the next step."]
    if not loading and view.orbit_of(me) is goal:
        return [f"In orbit of {full_name}: the supplies go down with the next step."]
    # Rounded as the panel of the mission has it beside.
    away = counted((way + UNIT // 2) // UNIT, "unit")
    if loading:
        task = f"Load 50 supplies at {full_name}, {away} away: dock there."
    else:
        task = f"Bring the supplies to {full_name}, {away} away: go into orbit."
    return [task, _arrive(me) if way <= DOCK_RANGE else _approach(me, goal, way)]


def _arrive(me: Thing) -> str:
    """Return what is missing at the place: a ship has to be slow and its shields down."""
    if me.nav.want_speed > DOCK_SPEED_MAX and me.nav.dest is None:
        return "You are there: stop the ship (speed 0)."
    if me.tac.shields_up:
        return "You are there: lower the shields (shields down)."
    return "You are there: wait until the ship has slowed down."


def _approach(me: Thing, goal: Thing, way: int) -> str:
    if me.nav.dest != goal.name:
        return f"Make it the destination: the autopilot finds the course (dest {goal.name})."
    if me.nav.want_speed == 0:
        return f"The autopilot has the course: give it a speed (speed {PROPOSED_SPEED})."
    steps = steps_to(way, max(me.nav.speed, me.nav.want_speed))
    text = f"On the way, {_steps(steps or 1)} or a few more; the autopilot stops by itself."
    return text if not me.tac.shields_up else f"{text} Lower the shields before (shields down)."
