"""TAC: shields, weapons, energy, damage and repair (design, sections 6.2, 7 and 8).

A unit reads the old state and what the captain ordered, and returns the group it writes. What it
does to others goes into its ledger of shots, which they read a step later.
"""

from __future__ import annotations

from apps.starship.rules import tables
from apps.starship.rules.commands import ALL, FIRE_HEALTH_MIN, Command, weapon_of
from apps.starship.rules.gunnery import FACINGS, absorb, bears, facing_of, penetrate, shoot
from apps.starship.rules.objects import LEDGER_STEPS, Logbook, Shot, Tac, Thing, Weapon
from apps.starship.rules.state import View, gap, maxima

LIFE_SUPPORT = 4
SHIELDS_UP = 6
DOCK_ENERGY = 150
RECHARGE_RESERVE = 50
ATTACKERS_STEPS = 10
DAMAGE_FROM_MAX = 12
SUPPRESSED_AGAIN_STEPS = 200
BASE_REPAIR, PLANET_REPAIR = 8, 4
DOCK_REPAIR, DOCK_HULL, DOCK_SHIELD, DOCK_CREW, DOCK_SUPPLIES = 20, 10, 10, 4, 25
ORBIT_SUPPLIES, ORBIT_STOCK_MIN = 10, 200
SUPPLIES_MARKS = (25, 12, 0)
"""Percentages of supplies at which the captain is warned."""


def fight(view: View, me: Thing, orders: tuple[Command, ...]) -> Tac:
    """Return the next TAC of a living object."""
    return _Tactics(view, me).run(orders)


class _Tactics:
    """One unit: the steps of section 6.2 in their order, each a method."""

    def __init__(self, view: View, me: Thing) -> None:
        self.view, self.me, self.t = view, me, view.step
        self.tac = me.tac.copy()
        self.log = Logbook(view.step, me.tac.log)
        self.design = tables.design_of(me.race, me.kind)
        self.struck: set[int] = set()
        self.killer: str | None = None
        hull, shield, _top, ammo = maxima(me)
        self.hull_max, self.shield_max, self.ammo_max = hull, shield, ammo

    def run(self, orders: tuple[Command, ...]) -> Tac:
        tac = self.tac
        self.release_locks()
        self.forget_old()
        raising = self.carry_out(orders)
        self.take_income()
        failed = self.pay()
        self.take_hits()
        if raising and not failed:
            tac.shields_up = True
        self.recharge()
        self.repair()
        self.consume()
        tac.energy = min(self.design.energy, tac.energy)
        if tac.hull <= 0:
            self.fall()
        tac.log = self.log.close()
        return tac

    # 1

    def release_locks(self) -> None:
        weapons = self.tac.weapons
        gone = {weapon.lock for weapon in weapons if weapon.lock is not None}
        gone = {name for name in gone if self.view.living(name) is None}
        if gone:
            for name in sorted(name for name in gone if name is not None):
                self.log.note("lock_lost", name=name)
            self.tac.weapons = tuple(
                weapon._replace(lock=None) if weapon.lock in gone else weapon for weapon in weapons
            )

    def forget_old(self) -> None:
        tac, t = self.tac, self.t
        if tac.shots and tac.shots[0].step < t - LEDGER_STEPS:
            tac.shots = tuple(shot for shot in tac.shots if shot.step >= t - LEDGER_STEPS)
        if tac.attackers and min(tac.attackers.values()) < t - ATTACKERS_STEPS:
            kept = tac.attackers.items()
            tac.attackers = {name: at for name, at in kept if at >= t - ATTACKERS_STEPS}

    # 2

    def carry_out(self, orders: tuple[Command, ...]) -> bool:
        """Carry the orders out; return whether the shields are to go up."""
        tac, raising = self.tac, False
        for order in orders:
            if order.name == "shields":
                raising = order.args[0] == "up"
                if not raising:
                    tac.shields_up = False
            elif order.name == "lock":
                self.lock(str(order.args[0]), str(order.args[1]))
            elif order.name == "fire":
                self.fire(str(order.args[0]))
            elif order.name == "power":
                tac.power = str(order.args[0])
            elif order.name == "repair":
                tac.repair_first = None if order.args[0] == "none" else str(order.args[0])
        return raising

    def lock(self, which: str, target: str) -> None:
        if self.view.living(target) is None:
            self.log.note("lock_lost", name=target)
            return
        self.tac.weapons = tuple(
            weapon._replace(lock=target) if which in (ALL, weapon.id) else weapon
            for weapon in self.tac.weapons
        )

    def fire(self, which: str) -> None:
        tac = self.tac
        weapon = weapon_of(self.me, which)
        if weapon is None:
            return
        place = self.me.tac.weapons.index(weapon)
        weapon = tac.weapons[place]  # its lock may be of this step
        target = self.view.living(weapon.lock)
        if target is None or weapon.ready_at > self.t or weapon.health < FIRE_HEALTH_MIN:
            return
        kind, way = tables.WEAPON_TYPES[weapon.type], gap(self.me, target)
        reason = self.hindrance(weapon, kind, target, way)
        if reason is not None:
            self.log.note(reason, weapon=which)
            return
        tac.energy -= kind.energy
        tac.ammo -= kind.ammo
        tac.truce_until = 0
        shot = shoot(self.view.seed, self.t, self.me, tac, weapon, target, way)
        tac.shots = (*tac.shots, shot)
        ready = weapon._replace(ready_at=self.t + kind.recycle)
        tac.weapons = (*tac.weapons[:place], ready, *tac.weapons[place + 1 :])
        if shot.damage:
            self.log.note("shot_hit", weapon=which, name=target.name, damage=shot.damage)
        else:
            self.log.note("shot_miss", weapon=which, name=target.name)

    def hindrance(
        self, weapon: Weapon, kind: tables.WeaponType, target: Thing, way: int
    ) -> str | None:
        """Return the key of what keeps a weapon from firing."""
        if way > kind.range * 1_000:
            return "no_range"
        if not bears(self.me.nav, weapon, target.nav):
            return "no_arc"
        if self.tac.energy < kind.energy:
            return "no_energy"
        return "no_ammo" if self.tac.ammo < kind.ammo else None

    # 3 and 4

    def take_income(self) -> None:
        me, tac = self.me, self.tac
        income = self.design.reactor + 6 * me.com.upgrades[2]
        income = income * max(25, me.tac.systems[tables.RCT]) // 100
        if me.kind == "starship" and me.tac.supplies == 0:
            income //= 2
        if self.is_docked:
            income += DOCK_ENERGY
        tac.energy += income

    def pay(self) -> bool:
        """Take off what a step costs; return whether the power failed."""
        tac = self.tac
        if self.me.kind == "starship":
            speed = self.me.nav.speed
            tac.energy -= LIFE_SUPPORT + speed * speed // 100
        if tac.shields_up:
            tac.energy -= SHIELDS_UP
        if tac.energy >= 0:
            return False
        tac.energy, tac.shields_up = 0, False
        self.log.note("power_fail")
        return True

    # 5

    def take_hits(self) -> None:
        tac, n = self.tac, self.t - 1
        for shooter, shot in self.view.shots_at.get(self.me.name, ()):
            if tac.hits_through < shot.step <= n:
                self.take_hit(shooter, shot)
        tac.hits_through = n

    def take_hit(self, shooter: str, shot: Shot) -> None:
        tac = self.tac
        tac.last_hit = self.t
        tac.attackers = {**tac.attackers, shooter: self.t}
        if shot.damage == 0:
            return
        self.note_damage(shooter, shot.damage)
        facing = facing_of(shot.back, self.me.nav.heading)
        through = shot.damage
        if tac.shields_up:
            shields = list(tac.shields)
            through = absorb(shields, facing, shot.damage)
            tac.shields = tuple(shields)
        self.struck.add(facing)
        penetrate(self.view.seed, self.t, self.me.name, tac, shooter, shot, through)
        if tac.hull <= 0 and self.killer is None:
            self.killer = shooter
        self.log.note(
            "hit_by", name=shooter, weapon=shot.weapon, damage=shot.damage,
            facing=facing, lost=through, hull=max(0, tac.hull),
        )  # fmt: skip

    def note_damage(self, shooter: str, damage: int) -> None:
        ledger = dict(self.tac.damage_from)
        total, _last = ledger.get(shooter, (0, 0))
        ledger[shooter] = (total + damage, self.t)
        if len(ledger) > DAMAGE_FROM_MAX:
            del ledger[min(ledger, key=lambda name: (ledger[name][1], name))]
        self.tac.damage_from = ledger

    # 6

    def recharge(self) -> None:
        tac = self.tac
        limit = self.shield_max * max(20, tac.systems[tables.SHG]) // 100
        rate = self.design.recharge
        if tac.power == "shields":
            rate = rate * 150 // 100
        elif tac.power in ("weapons", "engines") and rate:
            rate = max(1, rate * 50 // 100)
        shields = [min(strength, limit) for strength in tac.shields]
        for facing in range(FACINGS):
            add = min(rate, limit - shields[facing])
            if facing in self.struck or add <= 0:
                continue
            cost = (add + 1) // 2
            if tac.energy - cost < RECHARGE_RESERVE:
                break
            tac.energy -= cost
            shields[facing] += add
        tac.shields = tuple(shields)

    # 7

    @property
    def served(self) -> bool:
        """Whether nobody shot at this ship of late: docks and planets serve no one under fire."""
        return not self.view.under_attack(self.me)

    @property
    def is_docked(self) -> bool:
        return self.view.docked_at(self.me) is not None and self.served

    def repair(self) -> None:
        tac, me = self.tac, self.me
        if me.kind != "starship":
            points = BASE_REPAIR if me.kind == "starbase" else PLANET_REPAIR
            self.spend(points)
            if self.t % 2 == 0 and 0 < tac.hull < self.hull_max:
                tac.hull += 1
            elif self.t % 2 == 0 and tac.hull <= 0 and self.killer is None:
                tac.hull = 1
            return
        points = 4 * tac.crew // self.design.crew if me.tac.supplies else 0
        planet = self.view.orbit_of(me) if self.served else None
        if planet is not None:
            points *= 2
        left = self.spend(points)
        if left < points:
            tac.supplies = max(0, tac.supplies - 1)
        # Whom a shot destroyed in this step, nobody mends.
        if left and 0 < tac.hull * 100 < self.hull_max * 60 and tac.supplies:
            tac.hull += 1
        if planet is not None:
            if planet.com.stock >= ORBIT_STOCK_MIN:
                tac.supplies += ORBIT_SUPPLIES
            tac.crew += 1
        if self.is_docked:
            self.serve_dock()
        tac.crew = min(tac.crew, self.design.crew)
        tac.supplies = min(tac.supplies, self.design.supplies)

    def serve_dock(self) -> None:
        tac = self.tac
        self.spend(DOCK_REPAIR)
        if tac.hull > 0:
            tac.hull = min(self.hull_max, tac.hull + DOCK_HULL)
        tac.shields = tuple(min(self.shield_max, s + DOCK_SHIELD) for s in tac.shields)
        tac.crew += DOCK_CREW
        tac.supplies += DOCK_SUPPLIES
        tac.ammo = min(self.ammo_max, tac.ammo + 1)

    def spend(self, points: int) -> int:
        """Repair what is ordered first, then what is worst; return the points that are left."""
        tac = self.tac
        health = [*tac.systems, *(weapon.health for weapon in tac.weapons)]
        if min(health) >= 100 or points <= 0:
            return points
        ids = [*tables.SYSTEMS, *(weapon.id for weapon in tac.weapons)]
        before = list(health)
        if tac.repair_first in ids:
            place = ids.index(tac.repair_first)
            add = min(points, 100 - health[place])
            health[place] += add
            points -= add
        while points and min(health) < 100:
            health[health.index(min(health))] += 1
            points -= 1
        tac.systems = tuple(health[:4])
        tac.weapons = tuple(
            weapon._replace(health=now) for weapon, now in zip(tac.weapons, health[4:], strict=True)
        )
        for name, now, was in zip(ids, health, before, strict=True):
            if now == 100 > was:
                self.log.note("repaired", name=name)
        return points

    def consume(self) -> None:
        tac = self.tac
        if self.me.kind != "starship":
            return
        if self.t % 2 == 0:
            tac.supplies = max(0, tac.supplies - 1)
        full = self.design.supplies
        for mark in SUPPLIES_MARKS:
            if self.me.tac.supplies * 100 > mark * full >= tac.supplies * 100:
                self.log.note("supplies_low", percent=mark)

    # 8

    def fall(self) -> None:
        tac = self.tac
        if self.me.kind != "planet":
            tac.dead_at, tac.killer = self.t, self.killer
            return
        tac.hull = 0
        if self.killer is None:
            return
        tac.weapons = tuple(weapon._replace(health=0) for weapon in tac.weapons)
        if tac.suppressed_by is None or self.t - tac.suppressed_at >= SUPPRESSED_AGAIN_STEPS:
            tac.suppressed_at, tac.suppressed_by = self.t, self.killer
        self.log.note("suppressed", name=self.killer)
