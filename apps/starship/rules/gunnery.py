"""What a shot does: damage by distance, chance to hit, shields, hull and systems (section 7)."""

from __future__ import annotations

from apps.starship.rules.arithmetic import CIRCLE, UNIT, angdiff, bearing, rng
from apps.starship.rules.objects import Nav, Shot, Tac, Thing, Weapon
from apps.starship.rules.tables import WEAPON_TYPES, WeaponType

FACINGS = 6
SYSTEM_COUNT = 4
CHANCE_MIN, CHANCE_MAX = 10, 95


def damage_at(kind: WeaponType, way: int, level: int = 0, power: str = "balanced") -> int:
    """Return the damage of a hit over ``way`` mu, rounded down at each stage.

    ``level`` is that of the weapons upgrade, ``power`` what has the preference.
    """
    reach = kind.range * UNIT
    damage = kind.base * (100 * reach - (100 - kind.edge) * way) // (100 * reach)
    damage = damage * (100 + 5 * level) // 100
    if power == "weapons":
        return damage * 110 // 100
    return damage * 90 // 100 if power == "shields" else damage


def chance_at(kind: WeaponType, way: int, speed: int) -> int:
    """Return the percentage of hits over ``way`` mu at a target of ``speed`` tenths."""
    if kind.chance is None:
        return 100
    by_way, by_speed = kind.chance
    value = 95 - way // UNIT // by_way - speed // by_speed
    return max(CHANCE_MIN, min(CHANCE_MAX, value))


def bears(nav: Nav, weapon: Weapon, target: Nav) -> bool:
    """Tell whether a target lies within the arc of a weapon."""
    angle = bearing(target.x - nav.x, target.y - nav.y) - nav.heading
    return abs(angdiff(angle % CIRCLE, weapon.centre)) <= weapon.half_arc


def shoot(
    seed: int, step: int, shooter: Thing, tac: Tac, weapon: Weapon, target: Thing, way: int
) -> Shot:
    """Return the shot of a weapon at a target ``way`` mu off: the dice are rolled here.

    ``tac`` is the shooter's of this step, whose power may have been ordered before the shot.
    """
    kind = WEAPON_TYPES[weapon.type]
    back = bearing(shooter.nav.x - target.nav.x, shooter.nav.y - target.nav.y)
    chance = chance_at(kind, way, target.nav.speed)
    roll = rng(seed, step, "hit", shooter.name, weapon.id, target.name) % 100
    hit = kind.chance is None or roll < chance
    damage = damage_at(kind, way, shooter.com.upgrades[4], tac.power) if hit else 0
    return Shot(step, weapon.id, target.name, damage, back)


def facing_of(back: int, heading: int) -> int:
    """Return which shield takes a hit that comes from the bearing ``back``: 0 is the bow.

    >>> facing_of(900, 300), facing_of(299, 0), facing_of(3301, 0)
    (1, 0, 0)
    """
    return ((back - heading) % CIRCLE + 300) // 600 % FACINGS


def absorb(shields: list[int], facing: int, damage: int) -> int:
    """Take damage off raised shields, which is changed in place; return what penetrates.

    >>> strength = [100, 30, 100, 100, 100, 100]
    >>> absorb(strength, 1, 45), strength
    (7, [96, 0, 96, 100, 100, 100])
    """
    side, through = damage // 10, 0
    shares = ((facing, damage - 2 * side), (facing + 1, side), (facing - 1, side))
    for place, share in shares:
        taken = min(shields[place % FACINGS], share)
        shields[place % FACINGS] -= taken
        through += share - taken
    return through


def penetrate(seed: int, step: int, me: str, tac: Tac, shooter: str, shot: Shot, p: int) -> None:
    """Let ``p`` of damage through to hull, crew and systems of ``tac``, which is changed."""
    tac.hull -= p
    if tac.crew:
        tac.crew = max(1, tac.crew - p // 8)
    if p < 10:
        return
    systems, weapons = list(tac.systems), list(tac.weapons)
    for roll in range(p // 10):
        r = rng(seed, step, "sys", me, shooter, shot.weapon, shot.step, roll)
        place, loss = r % (SYSTEM_COUNT + len(weapons)), 10 + (r >> 8) % 16
        if place < SYSTEM_COUNT:
            systems[place] = max(0, systems[place] - loss)
        else:
            weapon = weapons[place - SYSTEM_COUNT]
            weapons[place - SYSTEM_COUNT] = weapon._replace(health=max(0, weapon.health - loss))
    tac.systems, tac.weapons = tuple(systems), tuple(weapons)
