"""Computer captains: what they order, by the rules that hold for everybody (design, section 11).

`decide` is a pure function of the old state, so any unit that needs the orders computes them again.
A captain sees what a bridge shows. The first rule that applies acts; later ones fill what is left
of the orders only where it says so.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from apps.starship.rules import tables
from apps.starship.rules.arithmetic import UNIT, rng
from apps.starship.rules.commands import CALL_AGAIN_STEPS, Command, is_permitted
from apps.starship.rules.gunnery import bears
from apps.starship.rules.missions import next_stop
from apps.starship.rules.objects import Thing, Weapon
from apps.starship.rules.state import View, gap, is_full, maxima
from apps.starship.rules.theme import INDEPENDENT

HOSTILE_STEPS = 50
"""For how many steps a pair of ships stays enemies or not."""
ENGAGE, ENGAGE_ABROAD, ENGAGE_FIXED = 250 * UNIT, 150 * UNIT, 300 * UNIT
SIGHT = 450 * UNIT
"""How far a captain looks for enemies."""
CLOSE = 300 * UNIT
QUIET = 200 * UNIT
HUNT = 400 * UNIT
HELP_RANGE = 1_500 * UNIT
HELPERS_MAX = 4


@lru_cache(maxsize=65_536)
def _are_hostile(seed: int, epoch: int, one: str, other: str, races: str) -> bool:
    """Tell whether two ships are enemies by chance; names and races in order."""
    roll = rng(seed, epoch, "host", races[0], races[1], one, other) % 100
    return roll < tables.HOSTILITY[races]


def decide(view: View, me: Thing) -> tuple[Command, ...]:
    """Return up to ``commands_per_step`` orders of the computer for an object."""
    return tuple(_Captain(view, me).decide())


class _Captain:
    """One captain in one step: what he sees, and the orders he has given so far."""

    def __init__(self, view: View, me: Thing) -> None:
        self.view, self.me = view, me
        self.nav, self.tac, self.com = me.nav, me.tac, me.com
        self.design = tables.design_of(me.race, me.kind)
        self.most = view.state.settings.commands_per_step
        self.orders: list[Command] = []

    def order(self, name: str, *args: int | str) -> None:
        """Give an order, if one is left and it would be admitted."""
        command = Command(name, args)
        if len(self.orders) < self.most and is_permitted(self.view, self.me, command, self.orders):
            self.orders.append(command)

    def decide(self) -> list[Command]:
        """Go through the rules in their order."""
        if self.me.kind != "starship":
            self.stand_guard()
        elif not self.wait_docked():
            self.see_to_shields()
            _ = self.retreat() or self.engage() or self.answer() or self.go_on() or self.idle()
        return self.orders

    # --- what he sees ----------------------------------------------------------------------

    @cached_property
    def enemies(self) -> list[tuple[int, Thing]]:
        """The enemies within `SIGHT`, with their distances, nearest first."""
        strangers = self.view.near_strangers(self.nav.x, self.nav.y, SIGHT, self.me.race)
        return sorted(
            (found for found in strangers if self.is_enemy(found[1])),
            key=lambda row: (row[0], row[1].name),
        )

    def is_enemy(self, other: Thing) -> bool:
        """Tell whether to fight an object: rules (a) to (d) of section 11."""
        me, race = self.me, other.race
        if race in (me.race, INDEPENDENT):
            return False
        if other.name in self.tac.attackers:
            return True
        starship, mobile = other.kind == "starship", me.kind == "starship"
        if mobile and self.mission_target == other.name:
            return True
        if not starship or other.tac.truce_until >= self.view.step:
            return False
        if self.view.owner(other.nav) == me.race:
            return True
        return mobile and self.is_hostile(other)

    def is_hostile(self, other: Thing) -> bool:
        one, two = sorted((self.me.name, other.name))
        races = "".join(sorted((self.me.race, other.race)))
        epoch = self.view.step // HOSTILE_STEPS
        return _are_hostile(self.view.seed, epoch, one, two, races)

    @cached_property
    def mission_target(self) -> str | None:
        """Whom the mission is to destroy."""
        mission = self.com.mission
        return mission.target if mission is not None and mission.kind == "attack" else None

    @cached_property
    def attacked(self) -> bool:
        return self.view.under_attack(self.me)

    def enemy_within(self, reach: int) -> bool:
        return bool(self.enemies) and self.enemies[0][0] <= reach

    # --- rules -----------------------------------------------------------------------------

    def wait_docked(self) -> bool:
        """Rule 1: docked, with no enemy near, stay until everything is full."""
        if self.view.docked_at(self.me) is None or self.enemy_within(QUIET):
            return False
        for track in tables.TRACKS:
            before = len(self.orders)
            self.order("upgrade", track)
            if len(self.orders) > before:
                break
        if is_full(self.me, self.tac):
            return False
        if self.nav.want_speed:
            self.order("speed", 0)
        return True

    def see_to_shields(self) -> None:
        """Rule 2: shields up when an enemy is close, down when all is quiet."""
        if not self.tac.shields_up:
            if self.enemy_within(CLOSE):
                self.order("shields", "up")
        elif not self.enemies and not self.attacked:
            self.order("shields", "down")

    def retreat(self) -> bool:
        """Rule 3: a weak or outnumbered ship goes home."""
        if not (self.is_weak() or self.is_outnumbered()):
            return False
        self.call_for_help()
        home = self.refuge()
        if home is not None:
            self.steer(home.name, None, 60 if self.tac.energy <= 200 else maxima(self.me)[2])
        if self.enemies:
            self.shoot(self.enemies[0][1])
        return True

    def is_weak(self) -> bool:
        return (
            self.tac.hull * 100 < maxima(self.me)[0] * 60
            or self.tac.energy * 100 < self.design.energy * 12
            or self.tac.supplies < 60
            or self.tac.systems[tables.ENG] < 30
        )

    def is_outnumbered(self) -> bool:
        theirs = sum(_strength(other) for way, other in self.enemies if way <= CLOSE)
        if theirs < 2:
            return False
        own = self.view.near_of(self.nav.x, self.nav.y, CLOSE, self.me.race)
        ours = sum(_strength(other) for _way, other in own if other.name != self.me.name)
        return theirs >= 2 * (1 + ours)

    def refuge(self) -> Thing | None:
        """The nearest own starbase, without one the nearest own planet."""
        for kind in ("starbase", "planet"):
            places = self.view.of.get((self.me.race, kind))
            if places:
                return self.view.nearest(self.nav.x, self.nav.y, places)
        return None

    def engage(self) -> bool:
        """Rule 4: fight whoever is near enough."""
        target = self.choose_target()
        if target is None:
            return False
        self.lock(target)
        if self.tac.hull * 100 < maxima(self.me)[0] * 80 or len(self.tac.attackers) >= 2:
            self.call_for_help()
        self.steer(target.name, None, None)
        self.fire(target)
        way = gap(self.me, target)
        self.speed(60 if way > 180 * UNIT else 35 if way > 60 * UNIT else 20)
        return True

    def choose_target(self) -> Thing | None:
        reach = ENGAGE_ABROAD if self.view.is_abroad(self.me) else ENGAGE
        best: tuple[int, str] | None = None
        for way, other in self.enemies:
            hunted = other.name == self.mission_target
            if way > (HUNT if hunted else reach):
                continue
            score = -(way // UNIT) + (120 if hunted else 0)
            score += 150 if other.name in self.tac.attackers else 0
            score += 60 if any(w.lock == other.name for w in self.tac.weapons) else 0
            if best is None or (-score, other.name) < best:
                best = -score, other.name
        return None if best is None else self.view.objects[best[1]]

    def answer(self) -> bool:
        """Rule 5: go to whoever calls for help, and stay with it."""
        called = self.view.living(self.com.responding_to)
        if called is not None:
            self.steer(called.name, None, min(maxima(self.me)[2], 80))
            return True
        fit = (
            self.tac.hull * 100 >= maxima(self.me)[0] * 60
            and self.tac.supplies >= 150
            and self.tac.energy * 100 >= self.design.energy * 40
        )
        caller = self.caller() if fit else None
        if caller is None:
            return False
        self.order("respond", caller.name)
        self.steer(caller.name, None, min(maxima(self.me)[2], 80))
        return True

    def caller(self) -> Thing | None:
        """The nearest of those who call, whom this ship comes to help."""
        view, me = self.view, self.me
        willing = []
        for other in view.callers.get(me.race, ()):
            way = gap(me, other)
            if other.name == me.name or way > HELP_RANGE:
                continue
            if len(view.helpers_of.get(other.name, ())) >= HELPERS_MAX:
                continue
            roll = rng(view.seed, other.com.distress_at, "resp", me.name, other.name) % 100
            if roll < 90 - way // 25_000:
                willing.append((way, other.name))
        return view.objects[min(willing)[1]] if willing else None

    def go_on(self) -> bool:
        """Rule 6: pursue the mission."""
        mission = self.com.mission
        if mission is None:
            return False
        dest, point = next_stop(self.view, self.me, mission)
        if dest is None and point is None:
            return False
        speed = 60
        if mission.kind in ("deliver", "rescue"):
            speed = 50 if self.tac.energy <= 300 else 70
        self.steer(dest, point, speed)
        return True

    def idle(self) -> bool:
        """Rule 7: wait."""
        self.speed(0)
        return True

    def stand_guard(self) -> None:
        """Rule 7 for starbases and planets."""
        near = [other for way, other in self.enemies if way <= ENGAGE_FIXED]
        base = self.me.kind == "starbase"
        if near:
            if base and not self.tac.shields_up:
                self.order("shields", "up")
            self.call_for_help()
            self.lock(near[0])
            self.fire(near[0])
        elif base and self.tac.shields_up:
            self.order("shields", "down")

    # --- what rules order ------------------------------------------------------------------

    def call_for_help(self) -> None:
        if self.attacked and self.view.step - self.com.distress_at >= CALL_AGAIN_STEPS:
            self.order("distress")

    def steer(self, dest: str | None, point: tuple[int, int] | None, speed: int | None) -> None:
        if dest is not None:
            if self.nav.dest != dest and dest != self.me.name:
                self.order("dest", dest)
        elif point is not None and self.nav.point != point:
            self.order("course_to", *point)
        if speed is not None:
            self.speed(speed)

    def speed(self, speed: int) -> None:
        if self.nav.want_speed != speed:
            self.order("speed", speed)

    def lock(self, target: Thing) -> None:
        far = gap(self.me, target) > self.view.lock_range(self.me)
        if not far and any(weapon.lock != target.name for weapon in self.tac.weapons):
            self.order("lock", "all", target.name)

    def fire(self, target: Thing) -> None:
        way = gap(self.me, target)
        locked = any(order.name == "lock" for order in self.orders)
        for weapon in self.tac.weapons:
            aimed = locked or weapon.lock == target.name
            if aimed and self.can_hit(weapon, target, way):
                self.order("fire", weapon.id)

    def shoot(self, target: Thing) -> None:
        """Lock on and fire with what orders are left."""
        self.lock(target)
        self.fire(target)

    def can_hit(self, weapon: Weapon, target: Thing, way: int) -> bool:
        kind = tables.WEAPON_TYPES[weapon.type]
        return (
            way <= kind.range * UNIT
            and self.tac.energy >= kind.energy
            and self.tac.ammo >= kind.ammo
            and bears(self.nav, weapon, target.nav)
        )


def _strength(thing: Thing) -> int:
    return {"starship": 1, "starbase": 3}.get(thing.kind, 0)
