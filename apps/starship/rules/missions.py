"""Missions: how they are assigned, how they progress, and what they pay (design, section 10).

Everything here is part of a COM unit: it reads the old state and changes the group that is filled.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.starship.rules import tables
from apps.starship.rules.arithmetic import UNIT, dist
from apps.starship.rules.geography import NEUTRAL, QUADRANT
from apps.starship.rules.objects import Com, Delivery, Logbook, Mission, Thing
from apps.starship.rules.state import View, gap
from apps.starship.rules.theme import INDEPENDENT

CARGO = 50
EVACUEES = 20
RETRY_STEPS = 6
RENDEZVOUS_RANGE = 30 * UNIT
PLACE_RANGE = 100 * UNIT
ESCORT_RANGE = 100 * UNIT
ESCORT_STEPS = 60
DEFEND_RANGE = 200 * UNIT
DEFEND_STEPS = 80
RESCUE_STEPS = 3
ATTACK_RANGE = 2_000 * UNIT

OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_OPEN = "done", "failed", "open"

_KINDS = {
    "D": "deliver", "P": "patrol", "E": "explore", "R": "rendezvous",
    "A": "attack", "F": "defend", "G": "rescue",
}  # fmt: skip


# --- assigning -----------------------------------------------------------------------------


def assign(view: View, me: Thing, com: Com, log: Logbook) -> None:
    """Give a starship without mission one, if there is any for it; otherwise it waits."""
    first = me.meta.human and not com.missions_done and not com.score and me.com.next_mission_at
    if first == me.meta.created_at + 5:
        mission = _shakedown(view, me)
    else:
        r = view.random("mission", me.name)
        letter = tables.WHEELS[me.race][r % 12]
        mission = _MAKERS[_kind(view, me, letter, r)](view, me, r >> 8)
    if mission is None:
        com.next_mission_at = view.step + RETRY_STEPS
        return
    com.mission, com.cargo, com.evacuees = mission, 0, 0
    log.note("mission_new", kind=mission.kind, target=mission.target or "")


def _kind(view: View, me: Thing, letter: str, r: int) -> str:
    if me.meta.human and me.meta.captain is None and letter in "AE":
        return "deliver"  # a caretaker does not risk what is a captain's
    if letter == "R" and (r >> 8) % 2 and _couriers(view, me):
        return "escort"
    if letter == "G" and not _emergencies(view, me):
        return "deliver"
    return _KINDS[letter]


def _couriers(view: View, me: Thing) -> list[Thing]:
    return [
        other
        for other in view.of.get((me.race, "starship"), ())
        if other.name != me.name
        and other.com.mission is not None
        and other.com.mission.kind == "deliver"
    ]


def _emergencies(view: View, me: Thing) -> list[Thing]:
    planets = view.of.get((me.race, "planet"), ())
    return [planet for planet in planets if planet.com.emergency is not None]


def _markets(view: View, me: Thing) -> list[Thing]:
    both = [*view.of.get((me.race, "planet"), ()), *view.of.get((INDEPENDENT, "planet"), ())]
    return sorted(both, key=lambda planet: planet.name)


def _shakedown(view: View, me: Thing) -> Mission | None:
    planets = view.of.get((me.race, "planet"), [])
    return _delivery(view, me, view.nearest(me.nav.x, me.nav.y, planets))


def _deliver(view: View, me: Thing, r: int) -> Mission | None:
    markets = _markets(view, me)
    return _delivery(view, me, markets[r % len(markets)]) if markets else None


def _delivery(view: View, me: Thing, planet: Thing | None) -> Mission | None:
    source = view.nearest(me.nav.x, me.nav.y, view.of.get((me.race, "starbase"), []))
    if planet is None or source is None:
        return None
    way = (gap(me, source) + gap(source, planet)) // UNIT
    return _begun(view, "deliver", 150 + way // 20, 20 + way // 50, planet.name)


def _rendezvous(view: View, me: Thing, r: int) -> Mission | None:
    ships = [o for o in view.of.get((me.race, "starship"), ()) if o.name != me.name]
    if not ships:
        return None
    other = ships[r % len(ships)]
    return _begun(view, "rendezvous", 200, 15 + gap(me, other) // UNIT // 50, other.name)


def _patrol(view: View, me: Thing, r: int) -> Mission | None:
    return _tour(view, me, "patrol", me.race, 400, 30)


def _explore(view: View, me: Thing, r: int) -> Mission | None:
    return _tour(view, me, "explore", NEUTRAL, 500, 60)


def _tour(view: View, me: Thing, kind: str, owner: str, limit: int, reward: int) -> Mission | None:
    """Make a mission that visits three different quadrants of an owner."""
    quadrants, places = view.geography.owned(owner), []
    for number in range(3):
        r = view.random("place", me.name, number)
        column, row = quadrants.pop(r % len(quadrants))
        if kind == "patrol":
            places.append(view.geography.centre(column, row))
        else:
            x, y = view.geography.corner(column, row)
            places.append((x + (r >> 8) % QUADRANT, y + (r >> 32) % QUADRANT))
    made = _begun(view, kind, limit, reward, None)
    return made._replace(places=tuple(places))


def _escort(view: View, me: Thing, r: int) -> Mission | None:
    ships = _couriers(view, me)
    return _begun(view, "escort", 300, 40, ships[r % len(ships)].name) if ships else None


def _attack(view: View, me: Thing, r: int) -> Mission | None:
    names = sorted(
        other.name
        for _way, other in view.near(me.nav.x, me.nav.y, ATTACK_RANGE)
        if other.kind == "starship" and other.race != me.race and other.tac.truce_until < view.step
    )
    return _begun(view, "attack", 300, 60, names[r % len(names)]) if names else None


def _defend(view: View, me: Thing, r: int) -> Mission | None:
    bases = view.of.get((me.race, "starbase"), ())
    return _begun(view, "defend", 300, 40, bases[r % len(bases)].name) if bases else None


def _rescue(view: View, me: Thing, r: int) -> Mission | None:
    planets = _emergencies(view, me)
    bases = view.of.get((me.race, "starbase"), [])
    if not planets or not bases:
        return None
    planet = planets[r % len(planets)]
    base = view.nearest(planet.nav.x, planet.nav.y, bases)
    assert base is not None, "one of some is the nearest"
    way = (gap(me, planet) + gap(planet, base)) // UNIT
    return _begun(view, "rescue", 300, 40 + way // 50, planet.name)


def _begun(view: View, kind: str, steps: int, reward: int, target: str | None) -> Mission:
    return Mission(kind, view.step, view.step + steps, reward, target)


_MAKERS: dict[str, Callable[[View, Thing, int], Mission | None]] = {
    "deliver": _deliver, "rendezvous": _rendezvous, "patrol": _patrol, "explore": _explore,
    "escort": _escort, "attack": _attack, "defend": _defend, "rescue": _rescue,
}  # fmt: skip


# --- progress ------------------------------------------------------------------------------


def pursue(view: View, me: Thing, com: Com, log: Logbook) -> None:
    """Let the mission of a starship progress, end well, fail, or run out of time."""
    mission = com.mission
    assert mission is not None, "asked of ships with a mission"
    outcome, after = _PURSUITS[mission.kind](view, me, com, mission)
    if outcome == OUTCOME_OPEN and view.step < mission.limit:
        com.mission = after
        return
    if outcome == OUTCOME_DONE:
        com.points += mission.reward
        com.score += mission.reward
        com.missions_done += 1
        log.note("mission_done", kind=mission.kind, points=mission.reward)
    else:
        log.note("mission_failed", kind=mission.kind)
    end(view, com)


def end(view: View, com: Com) -> None:
    """Be without mission, cargo and passengers; the next mission comes soon."""
    com.mission, com.cargo, com.evacuees = None, 0, 0
    com.next_mission_at = view.step + RETRY_STEPS


_Outcome = tuple[str, Mission]


def _pursue_deliver(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    if mission.stage == 0:
        if view.docked_at(me) is not None:
            com.cargo = CARGO
            return OUTCOME_OPEN, mission._replace(stage=1)
        return OUTCOME_OPEN, mission
    planet = view.orbit_of(me)
    if planet is None or planet.name != mission.target:
        return OUTCOME_OPEN, mission
    com.deliveries = (*com.deliveries, Delivery(view.step, planet.name, com.cargo))
    return OUTCOME_DONE, mission


def _pursue_rendezvous(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    other = view.living(mission.target)
    if other is None:
        return OUTCOME_FAILED, mission
    return (OUTCOME_DONE if gap(me, other) <= RENDEZVOUS_RANGE else OUTCOME_OPEN), mission


def _pursue_tour(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    x, y = mission.places[mission.stage]
    if dist(me.nav.x - x, me.nav.y - y) > PLACE_RANGE:
        return OUTCOME_OPEN, mission
    after = mission._replace(stage=mission.stage + 1)
    done = after.stage == len(mission.places)
    return (OUTCOME_DONE if done else OUTCOME_OPEN), after


def _pursue_escort(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    other = view.living(mission.target)
    if other is None:
        return OUTCOME_FAILED, mission
    if any(delivery.step >= mission.begun for delivery in other.com.deliveries):
        return OUTCOME_DONE, mission
    if other.com.mission is None or other.com.mission.kind != "deliver":
        return OUTCOME_FAILED, mission
    if gap(me, other) > ESCORT_RANGE:
        return OUTCOME_OPEN, mission
    after = mission._replace(progress=mission.progress + 1)
    return (OUTCOME_DONE if after.progress >= ESCORT_STEPS else OUTCOME_OPEN), after


def _pursue_attack(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    other = view.objects.get(mission.target or "")
    if other is not None and other.alive:
        return OUTCOME_OPEN, mission
    mine = other is not None and me.name in other.tac.damage_from
    return (OUTCOME_DONE if mine else OUTCOME_FAILED), mission


def _pursue_defend(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    base = view.living(mission.target)
    if base is None:
        return OUTCOME_FAILED, mission
    if gap(me, base) > DEFEND_RANGE:
        return OUTCOME_OPEN, mission
    after = mission._replace(progress=mission.progress + 1)
    return (OUTCOME_DONE if after.progress >= DEFEND_STEPS else OUTCOME_OPEN), after


def _pursue_rescue(view: View, me: Thing, com: Com, mission: Mission) -> _Outcome:
    if mission.stage == 1:
        docked = view.docked_at(me) is not None
        return (OUTCOME_DONE if docked else OUTCOME_OPEN), mission
    planet = view.orbit_of(me)
    if planet is None or planet.name != mission.target:
        stricken = view.living(mission.target)
        gone = stricken is None or stricken.com.emergency is None
        return (OUTCOME_FAILED if gone else OUTCOME_OPEN), mission
    after = mission._replace(progress=mission.progress + 1)
    if after.progress >= RESCUE_STEPS:
        com.evacuees = EVACUEES
        after = after._replace(stage=1)
    return OUTCOME_OPEN, after


_PURSUITS: dict[str, Callable[[View, Thing, Com, Mission], _Outcome]] = {
    "deliver": _pursue_deliver, "rendezvous": _pursue_rendezvous, "patrol": _pursue_tour,
    "explore": _pursue_tour, "escort": _pursue_escort, "attack": _pursue_attack,
    "defend": _pursue_defend, "rescue": _pursue_rescue,
}  # fmt: skip


def next_stop(view: View, me: Thing, mission: Mission) -> tuple[str | None, tuple[int, int] | None]:
    """Return where a mission leads next: the name of an object, or a place; neither if nowhere."""
    if mission.places:
        return None, mission.places[mission.stage]
    to_base = mission.kind == "deliver" and mission.stage == 0
    if to_base or (mission.kind == "rescue" and mission.stage == 1):
        bases = view.of.get((me.race, "starbase"), [])
        base = view.nearest(me.nav.x, me.nav.y, bases)
        return (None if base is None else base.name), None
    return mission.target, None
