"""A ship's own condition: shields, status, weapons, and whether it may call for help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.starship.display import figures
from apps.starship.display.contacts import full_name_of
from apps.starship.display.figures import gauge, level, percent_of, units
from apps.starship.rules import tables
from apps.starship.rules.commands import (
    CALL_AGAIN_STEPS,
    FIRE_HEALTH_MIN,
    Command,
    Refusal,
    refusal_of,
)
from apps.starship.rules.gunnery import bears
from apps.starship.rules.objects import Thing, Weapon
from apps.starship.rules.state import View, gap, maxima
from apps.starship.rules.tactics import DOCK_ENERGY, LIFE_SUPPORT, SHIELDS_UP

SYSTEM_NAMES = ("engines", "reactor", "shield generator", "sensors")


def shields_of(me: Thing) -> dict[str, Any]:
    """Return the six shields, clockwise from the bow."""
    most = maxima(me)[1]
    facings = []
    for name, strength in zip(tables.FACINGS, me.tac.shields, strict=True):
        percent = percent_of(strength, most)
        colour = level(percent, figures.SHIELDS)
        row = {"name": name, "strength": strength, "max": most, "percent": percent, "level": colour}
        facings.append(row)
    return {"up": me.tac.shields_up, "facings": facings}


def net_power(view: View, me: Thing) -> int:
    """Return what a step adds to the energy, without shots and the recharging of shields."""
    tac = me.tac
    income = tables.design_of(me.race, me.kind).reactor + 6 * me.com.upgrades[2]
    income = income * max(25, tac.systems[tables.RCT]) // 100
    if me.kind == "starship":
        if tac.supplies == 0:
            income //= 2
        income -= LIFE_SUPPORT + me.nav.speed * me.nav.speed // 100
    if view.docked_at(me) is not None and not view.under_attack(me):
        income += DOCK_ENERGY
    return income - SHIELDS_UP if tac.shields_up else income


def status_of(view: View, me: Thing) -> dict[str, Any]:
    """Return energy, hull, crew and all else of the status panel."""
    tac, com = me.tac, me.com
    design = tables.design_of(me.race, me.kind)
    hull, _shield, _top, ammo = maxima(me)
    net = net_power(view, me)
    docked = view.docked_at(me) is not None
    return {
        "energy": gauge(tac.energy, design.energy, figures.ENERGY),
        "net": net,
        "net_level": "yellow" if net < 0 else "green",
        "hull": gauge(max(0, tac.hull), hull, figures.HULL),
        "crew": gauge(tac.crew, design.crew, figures.CREW),
        "supplies": gauge(tac.supplies, design.supplies, figures.SUPPLIES),
        "ammo": gauge(tac.ammo, ammo, figures.AMMO) if ammo else None,
        "systems": [
            {"key": key, "name": name, "percent": health, "level": level(health, figures.SYSTEMS)}
            for key, name, health in zip(tables.SYSTEMS, SYSTEM_NAMES, tac.systems, strict=True)
        ],
        "power": tac.power,
        "powers": list(tables.POWERS),
        "repair": tac.repair_first,
        "repairs": ["none", *tables.SYSTEMS, *(weapon.id for weapon in tac.weapons)],
        "cargo": com.cargo,
        "evacuees": com.evacuees,
        "points": com.points,
        "score": com.score,
        "kills": com.kills,
        "missions": com.missions_done,
        "berth": _berth(view, me),
        "attackers": _attackers(view, me),
        "truce": truce_of(view, me),
        "can_upgrade": docked,
        "upgrades": [_upgrade(me, place) for place in range(len(tables.TRACKS))],
    }


def truce_of(view: View, thing: Thing) -> int:
    """Return for how many steps computer captains leave a new ship alone."""
    return max(0, thing.tac.truce_until - view.state.step) if thing.alive else 0


def _berth(view: View, me: Thing) -> dict[str, str] | None:
    base, planet = view.docked_at(me), view.orbit_of(me)
    if base is not None:
        return {"kind": "docked", "name": base.name}
    return None if planet is None else {"kind": "orbit", "name": planet.name}


def _attackers(view: View, me: Thing) -> list[dict[str, Any]]:
    living = [found for name in me.tac.attackers if (found := view.living(name)) is not None]
    near = sorted((gap(me, other), other.name) for other in living)
    return [{"name": name, "distance": units(way)} for way, name in near]


def _upgrade(me: Thing, place: int) -> dict[str, Any]:
    reached = me.com.upgrades[place]
    cost = None if reached >= tables.LEVEL_MAX else tables.upgrade_cost(reached)
    return {
        "track": tables.TRACKS[place],
        "level": reached,
        "max": tables.LEVEL_MAX,
        "cost": cost,
        "affordable": cost is not None and me.com.points >= cost,
    }


# --- weapons -------------------------------------------------------------------------------


def hindrance_of(view: View, me: Thing, weapon: Weapon, target: Thing | None) -> str:
    """Return why a weapon does not reach a target: no lock, out of range or arc; else nothing."""
    if target is None:
        return "no lock"
    if gap(me, target) > tables.WEAPON_TYPES[weapon.type].range * 1_000:
        return "out of range"
    return "" if bears(me.nav, weapon, target.nav) else "out of arc"


def bearing_on(view: View, me: Thing, target: Thing) -> list[str]:
    """Return the ids of the weapons that reach an object."""
    return [w.id for w in me.tac.weapons if not hindrance_of(view, me, w, target)]


def weapons_of(
    view: View, me: Thing, given: Sequence[Command], refusal: str = ""
) -> list[dict[str, Any]]:
    """Return the weapons.

    ``given`` are the orders for the step being collected; ``refusal`` says why the ship takes no
    order at all, ``""`` if it does.
    """
    return [_weapon(view, me, weapon, given, refusal) for weapon in me.tac.weapons]


def _weapon(
    view: View, me: Thing, weapon: Weapon, given: Sequence[Command], refusal: str
) -> dict[str, Any]:
    target = view.living(weapon.lock)
    why = hindrance_of(view, me, weapon, target)
    if not refusal:
        found = refusal_of(view, me, Command("fire", (weapon.id,)), given)
        refusal = "" if found is None else found.text
    return {
        "id": weapon.id,
        "type": weapon.type,
        "state": _state(view, me, weapon),
        "ready_in": max(0, weapon.ready_at - view.step),
        "health": weapon.health,
        "lock": None if target is None else target.name,
        "lock_full_name": None if target is None else full_name_of(view.state.theme, target),
        "bears": not why,
        "why": why,
        "can_fire": not refusal,
        "refusal": refusal,
    }


def _state(view: View, me: Thing, weapon: Weapon) -> str:
    kind = tables.WEAPON_TYPES[weapon.type]
    if weapon.health < FIRE_HEALTH_MIN:
        return "damaged"
    if weapon.ready_at > view.step:
        return "recycling"
    if me.tac.energy < kind.energy:
        return "no energy"
    return "no ammo" if me.tac.ammo < kind.ammo else "ready"


def distress_of(view: View, me: Thing, refusal: str = "") -> dict[str, Any]:
    """Return whether the ship may call for help, in how many steps, and why not."""
    found: Refusal | None = refusal_of(view, me, Command("distress"), ())
    if not refusal and found is not None:
        refusal = found.text
    wait = max(0, me.com.distress_at + CALL_AGAIN_STEPS - view.step)
    return {"enabled": not refusal, "steps": wait, "why": refusal}
