"""A screen: everything a bridge shows of a ship, as one plain dictionary.

Numbers are as captains read them: angles in degrees and speeds as factors with one decimal,
distances and places in units with one decimal, x to the east and y to the north. The dictionary is
JSON as it stands; browser pages and the terminal draw from it and know nothing else of the game.
What is the same for all ships is shared between the screens of a state: nobody may change it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.starship.display.condition import distress_of, shields_of, status_of, weapons_of
from apps.starship.display.contacts import Contacts, Seen, captain_of, full_name_of
from apps.starship.display.courses import mission_of, nav_of, target_of
from apps.starship.display.fields import Fields, box_around
from apps.starship.display.figures import degrees, units
from apps.starship.display.hints import hints_of
from apps.starship.display.window import messages_of
from apps.starship.rules.commands import Command, read_command
from apps.starship.rules.counted import counted
from apps.starship.rules.geography import NEUTRAL, QUADRANT
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import State
from apps.starship.rules.theme import NAME

RADII = (100, 200, 300, 500)
"""Radii of the short-range scan, in units."""
RADIUS = 300
MODES = ("captain", "scan")
ORDERS_SHOWN_MAX = 10
"""Orders that are shown as admitted: no game allows more in a step."""
ORDER_LENGTH_MAX = 100
_PRINTABLE = re.compile(r"[ -~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody looks at: display matters, which are no orders.

    ``target`` the short name of the chosen object, ``""`` for none; ``radius`` of the short-range
    scan in units (`RADII`); ``mode`` ``captain`` or ``scan``; ``left`` orders for the step that is
    collected; ``orders`` those that were admitted for it, each as captains write it
    (`order_text`).
    """

    target: str = ""
    radius: int = RADIUS
    mode: str = "scan"
    left: int = 0
    orders: tuple[str, ...] = ()


def look_of(row: Mapping[str, Any]) -> Look:
    """Return the look that a row from outside describes; what is no value becomes the default."""
    target, radius, mode = row.get("target"), row.get("radius"), row.get("mode")
    left, orders = row.get("left"), row.get("orders")
    rows = orders if isinstance(orders, list | tuple) else []
    found = [order for order in rows if _is_order(order)]
    return Look(
        target if isinstance(target, str) and NAME.fullmatch(target) else "",
        radius if type(radius) is int and radius in RADII else RADIUS,
        mode if isinstance(mode, str) and mode in MODES else "scan",
        max(0, left) if type(left) is int else 0,
        tuple(found[:ORDERS_SHOWN_MAX]),
    )


def _is_order(value: object) -> bool:
    short = isinstance(value, str) and 0 < len(value) <= ORDER_LENGTH_MAX
    return short and _PRINTABLE.fullmatch(str(value)) is not None


def order_text(command: Command) -> str:
    """Return an order in its checked form as captains write it.

    >>> order_text(Command("course", (451,))), order_text(Command("lock", ("all", "Gath")))
    ('course 45.1', 'lock all Gath')
    """
    args: tuple[int | str | float, ...] = command.args
    if command.name in ("course", "speed"):
        args = tuple(int(arg) / 10 for arg in command.args)
    elif command.name == "course_to":
        args = tuple(int(arg) / 1_000 for arg in command.args)
    return " ".join([command.name, *map(str, args)])


class Showing:
    """The screens of one state; what they have in common is worked out once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.view = state.view()

    # When somebody looks: most servers have no players, and steps that nobody saw need none.

    @cached_property
    def _contacts(self) -> Contacts:
        return Contacts(self.view)

    @cached_property
    def _fields(self) -> Fields:
        return Fields(self.view)

    def screen(self, ship: str, look: Look) -> dict[str, Any] | None:
        """Return what a screen shows of an object, None if there is none of that name.

        ``ship`` is its short name however it is written; it may be a wreck, whose screen says who
        destroyed it under ``lost``. ``look`` may hold anything: what is no value of it counts as
        its default.
        """
        me = self.view.find(ship)
        if me is None:
            return None
        look = look_of({name: getattr(look, name) for name in Look.__slots__})
        limit = self.state.settings.commands_per_step
        captain = look.mode == "captain"
        refusal = self._refusal(me, look, limit)
        seen = self._contacts.seen_by(me)
        view = self.view
        return {
            "step": self.state.step,
            "ship": self._ship(me),
            "mode": look.mode,
            "left": min(look.left, limit) if captain else 0,
            "limit": limit,
            "orders": list(look.orders),
            "alert": {"level": view.alert(me)},
            "shields": shields_of(me),
            "status": status_of(view, me),
            "srs": self._short_range(me, look.radius, seen),
            "lrs": self._long_range(seen),
            "target": self._target(me, look.target, seen),
            "distress": distress_of(view, me, refusal),
            "nav": nav_of(me),
            "weapons": weapons_of(view, me, self._given(me, look), refusal),
            "mission": mission_of(view, me),
            "next_mission_in": self._next_mission_in(me),
            "messages": messages_of(view, me, captain and me.alive),
            "hints": hints_of(view, me) if captain else [],
            "lost": self._lost(me),
        }

    # --- parts -----------------------------------------------------------------------------

    def _ship(self, me: Thing) -> dict[str, Any]:
        theme, nav = self.state.theme, me.nav
        owner = self.view.owner(nav)
        return {
            "name": me.name,
            "full_name": full_name_of(theme, me),
            "race": me.race,
            "race_name": theme.races[me.race].name,
            "kind": me.kind,
            "quadrant": self.view.geography.quadrant(nav.x, nav.y),
            "owner": owner,
            "owner_name": "neutral" if owner == NEUTRAL else theme.races[owner].name,
            "alive": me.alive,
            "captain": captain_of(me),
            "heading": degrees(nav.heading),
            "x": units(nav.x),
            "y": units(nav.y),
            "colour": "self",
        }

    @staticmethod
    def _refusal(me: Thing, look: Look, limit: int) -> str:
        """Return why no order at all would be admitted."""
        if not me.alive:
            return f"{me.name} is destroyed."
        if look.mode != "captain":
            return f"You are not in command of {me.name}."
        return "" if look.left > 0 else f"Only {counted(limit, 'order')} per step."

    def _given(self, me: Thing, look: Look) -> list[Command]:
        """Return the admitted orders in their checked form, so that none is offered twice."""
        found = []
        for text in look.orders:
            name, *words = text.split() or [""]
            command = read_command(self.view, me, name, words)
            if isinstance(command, Command):
                found.append(command)
        return found

    def _short_range(self, me: Thing, radius: int, seen: list[Seen]) -> dict[str, Any]:
        box = box_around(self.view.geography, me.nav.x, me.nav.y, radius)
        return {
            "radius": radius,
            "contacts": [contact for way, contact in seen if way <= radius * 1_000],
            "beams": self._fields.beams(box),
            "explosions": self._fields.explosions(box),
            "borders": self._fields.borders(box),
            "quadrants": self._fields.quadrants(box),
        }

    def _long_range(self, seen: list[Seen]) -> dict[str, Any]:
        geography = self.view.geography
        return {
            "across": geography.across,
            "side": geography.size // 1_000,
            "quadrant": QUADRANT // 1_000,
            "contacts": [contact for _way, contact in seen],
            "territories": self._fields.territories,
            "fleets": self._fields.fleets,
        }

    def _target(self, me: Thing, name: str, seen: list[Seen]) -> dict[str, Any] | None:
        target = self.view.find(name) if name else None
        if target is None:
            return None
        for _way, contact in seen:
            if contact["name"] == target.name:
                return target_of(self.view, me, target, contact)
        return None

    def _next_mission_in(self, me: Thing) -> int | None:
        if me.com.mission is not None or me.kind != "starship" or not me.alive:
            return None
        return max(0, me.com.next_mission_at - self.state.step)

    def _lost(self, me: Thing) -> dict[str, Any] | None:
        if me.tac.dead_at is None:
            return None
        killer = None if me.tac.killer is None else self.view.objects.get(me.tac.killer)
        return {
            "killer": me.tac.killer if killer is None else full_name_of(self.state.theme, killer),
            "score": me.com.score,
            "steps_lived": max(0, me.tac.dead_at - me.meta.created_at),
            "kills": me.com.kills,
        }


def screen_of(state: State, ship: str, look: Look) -> dict[str, Any] | None:
    """Return one screen of a state; for many, use `Showing`."""
    return Showing(state).screen(ship, look)
