"""Orders: one grammar for browser, terminal and computer, and who may give which when.

An order that is admitted counts, whether or not it can be carried out in the step; one that is
refused does not. Checks come in a fixed order, so everybody gets the same refusal (design, section
5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from apps.starship.rules import tables
from apps.starship.rules.arithmetic import CIRCLE, UNIT
from apps.starship.rules.counted import counted
from apps.starship.rules.objects import Thing, Weapon
from apps.starship.rules.state import View, gap, maxima
from apps.starship.rules.theme import INDEPENDENT

FIRE_HEALTH_MIN = 40
"""Percent of health below which a weapon does not fire."""
CALL_AGAIN_STEPS = 10
ABANDON_COST = 5

ALL = "all"


class Command(NamedTuple):
    """An order in its checked form: a name of `COMMANDS` and arguments as the game counts them.

    ``course`` has tenths of a degree, ``course_to`` mu, ``speed`` tenths of a warp factor,
    ``mission`` and ``shields`` a word, the others names as the objects spell them.
    """

    name: str
    args: tuple[int | str, ...] = ()


class Refusal(NamedTuple):
    """Why an order is not admitted: a code, and a sentence for the captain."""

    code: str
    text: str


def _refuse(text: str) -> Refusal:
    return Refusal("E_ARG", text)


# --- reading arguments ---------------------------------------------------------------------

_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)


def decimal(value: object, scale: int) -> int | None:
    """Return a number from outside times ``scale``, None if that is no whole number.

    ``value`` is a text or a JSON number; it never becomes a float on the way.

    >>> decimal("6.5", 10), decimal(45, 10), decimal("0.05", 10), decimal("-1", 10)
    (65, 450, None, None)
    """
    text = str(value) if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not _DECIMAL.fullmatch(text):
        return None
    try:
        scaled = Decimal(text) * scale
    except InvalidOperation:
        return None
    return int(scaled) if scaled == int(scaled) else None


class Read(NamedTuple):
    """What reading an order may use."""

    view: View
    ship: Thing
    words: tuple[Any, ...]

    def count(self, number: int) -> bool:
        """Tell whether the order has as many arguments."""
        return len(self.words) == number

    def target(self, place: int) -> Thing | None:
        """Return the living object an argument names."""
        found = self.view.find(str(self.words[place]))
        return found if found is not None and found.alive else None


def _course(read: Read) -> Command | Refusal:
    angle = decimal(read.words[0], 10) if read.count(1) else None
    if angle is None or angle >= CIRCLE:
        return _refuse("A course is 0 to 359.9 degrees.")
    return Command("course", (angle,))


def _dest(read: Read) -> Command | Refusal:
    found = read.target(0) if read.count(1) else None
    if found is None:
        return _refuse("There is no object of that name to go to.")
    if found.name == read.ship.name:
        return _refuse("A ship cannot be its own destination.")
    return Command("dest", (found.name,))


def _course_to(read: Read) -> Command | Refusal:
    last = read.view.geography.size - 1
    places = [decimal(word, UNIT) for word in read.words]
    if not read.count(2) or any(place is None or place > last for place in places):
        return _refuse(f"A way-point is two numbers from 0 to {last // UNIT}.")
    return Command("course_to", tuple(place for place in places if place is not None))


def _speed(read: Read) -> Command | Refusal:
    top = maxima(read.ship)[2]
    speed = decimal(read.words[0], 10) if read.count(1) else None
    if speed is None or speed > top:
        return _refuse(f"A speed is 0.0 to {top // 10}.{top % 10}.")
    return Command("speed", (speed,))


def _shields(read: Read) -> Command | Refusal:
    if not read.count(1) or read.words[0] not in ("up", "down"):
        return _refuse("Shields go up or down.")
    return Command("shields", (read.words[0],))


def weapon_of(ship: Thing, word: object) -> Weapon | None:
    """Return the weapon of a ship that a word names."""
    name = str(word).upper()
    return next((weapon for weapon in ship.tac.weapons if weapon.id == name), None)


def _weapons(ship: Thing) -> str:
    return ", ".join(weapon.id for weapon in ship.tac.weapons)


def _lock(read: Read) -> Command | Refusal:
    if not read.count(2):
        return _refuse("Lock takes a weapon or all, and a target.")
    weapon = weapon_of(read.ship, read.words[0])
    every = str(read.words[0]).lower() == ALL
    if weapon is None and not every:
        return _refuse(f"The weapons are {_weapons(read.ship)}, or all.")
    found = read.target(1)
    if found is None:
        return _refuse("There is no object of that name to lock on.")
    if found.race in (read.ship.race, INDEPENDENT):
        return Refusal("E_FRIEND", f"{found.name} is not a valid target.")
    if gap(read.ship, found) > read.view.lock_range(read.ship):
        return Refusal("E_LOCKRANGE", f"{found.name} is beyond sensor range.")
    return Command("lock", (ALL if weapon is None else weapon.id, found.name))


def _fire(read: Read) -> Command | Refusal:
    weapon = weapon_of(read.ship, read.words[0]) if read.count(1) else None
    if weapon is None:
        return _refuse(f"The weapons are {_weapons(read.ship)}.")
    return Command("fire", (weapon.id,))


def _power(read: Read) -> Command | Refusal:
    if not read.count(1) or read.words[0] not in tables.POWERS:
        return _refuse(f"Power goes to one of {', '.join(tables.POWERS)}.")
    return Command("power", (read.words[0],))


def _repair(read: Read) -> Command | Refusal:
    parts = (*tables.SYSTEMS, *(weapon.id for weapon in read.ship.tac.weapons))
    word = str(read.words[0]) if read.count(1) else ""
    if word.lower() == "none":
        return Command("repair", ("none",))
    if word.upper() not in parts:
        return _refuse(f"Repairs go first to one of {', '.join(parts)}, or none.")
    return Command("repair", (word.upper(),))


def _distress(read: Read) -> Command | Refusal:
    return Command("distress") if read.count(0) else _refuse("A distress call takes no argument.")


def _respond(read: Read) -> Command | Refusal:
    found = read.target(0) if read.count(1) else None
    ship = read.ship
    if found is None or found.race != ship.race or found.name == ship.name:
        return _refuse("There is no ship of your race in distress by that name.")
    if not read.view.calls_for_help(found):
        return _refuse(f"{found.name} does not call for help.")
    return Command("respond", (found.name,))


def _mission(read: Read) -> Command | Refusal:
    if not read.count(1) or read.words[0] != "abandon":
        return _refuse("A mission can be abandoned; missions are assigned, not chosen.")
    if read.ship.com.mission is None:
        return _refuse("There is no mission to abandon.")
    return Command("mission", ("abandon",))


def _upgrade(read: Read) -> Command | Refusal:
    if not read.count(1) or read.words[0] not in tables.TRACKS:
        return _refuse(f"Upgrades are {', '.join(tables.TRACKS)}.")
    return Command("upgrade", (read.words[0],))


class Grammar(NamedTuple):
    """What there is to know of an order: its group, how it is read, how it is written, and the
    types of its arguments in the checked form."""

    group: str
    read: Callable[[Read], Command | Refusal]
    usage: str
    types: tuple[type, ...]


COMMANDS: dict[str, Grammar] = {
    "course": Grammar("nav", _course, "course DEGREES", (int,)),
    "dest": Grammar("nav", _dest, "dest NAME", (str,)),
    "course_to": Grammar("nav", _course_to, "course_to X Y", (int, int)),
    "speed": Grammar("nav", _speed, "speed FACTOR", (int,)),
    "shields": Grammar("tac", _shields, "shields up|down", (str,)),
    "lock": Grammar("tac", _lock, "lock WEAPON|all NAME", (str, str)),
    "fire": Grammar("tac", _fire, "fire WEAPON", (str,)),
    "power": Grammar("tac", _power, "power balanced|weapons|shields|engines", (str,)),
    "repair": Grammar("tac", _repair, "repair SYSTEM|WEAPON|none", (str,)),
    "distress": Grammar("com", _distress, "distress", ()),
    "respond": Grammar("com", _respond, "respond NAME", (str,)),
    "mission": Grammar("com", _mission, "mission abandon", (str,)),
    "upgrade": Grammar("com", _upgrade, "upgrade TRACK", (str,)),
}
"""All orders by name."""


# --- admission -----------------------------------------------------------------------------


def read_command(view: View, ship: Thing, name: object, words: Sequence[Any]) -> Command | Refusal:
    """Return an order from outside in its checked form, or why it is none."""
    grammar = COMMANDS.get(name) if isinstance(name, str) else None
    if grammar is None:
        return _refuse(f"Orders are {', '.join(COMMANDS)}.")
    return grammar.read(Read(view, ship, tuple(words)))


def admit(
    view: View,
    ship_name: str,
    captain: int | None,
    name: object,
    words: Sequence[Any],
    admitted: Sequence[Command],
) -> Command | Refusal:
    """Return the order if it is admitted, otherwise why not.

    ``captain`` is who gives it, ``admitted`` what the ship was ordered already in this step.
    """
    ship = view.find(ship_name)
    if ship is None or not ship.alive:
        return _refuse("There is no ship of that name.")
    if captain is None or ship.meta.captain != captain:
        return Refusal("E_CAPTAIN", f"You are not in command of {ship.name}.")
    command = read_command(view, ship, name, words)
    if isinstance(command, Refusal) and command.code == "E_ARG":
        return command
    most = view.state.settings.commands_per_step
    if len(admitted) >= most:
        return Refusal("E_LIMIT", f"Only {counted(most, 'order')} per step.")
    if isinstance(command, Refusal):
        return command
    return refusal_of(view, ship, command, admitted) or command


def is_permitted(view: View, ship: Thing, command: Command, admitted: Sequence[Command]) -> bool:
    """Tell whether an order in its checked form passes the checks of its own."""
    return refusal_of(view, ship, command, admitted) is None


def refusal_of(
    view: View, ship: Thing, command: Command, admitted: Sequence[Command]
) -> Refusal | None:
    """Return why an order in its checked form fails the checks of its own, None if it passes."""
    if command.name == "fire":
        return _refuse_fire(view, ship, command, admitted)
    if command.name == "distress":
        return _refuse_distress(view, ship)
    if command.name == "upgrade":
        return _refuse_upgrade(view, ship, str(command.args[0]), admitted)
    return None


def _refuse_fire(
    view: View, ship: Thing, command: Command, admitted: Sequence[Command]
) -> Refusal | None:
    weapon = weapon_of(ship, command.args[0])
    if weapon is None:
        return _refuse(f"The weapons are {_weapons(ship)}.")
    if command in admitted:
        return Refusal("E_DUPFIRE", f"{weapon.id} has already been ordered to fire this step.")
    if weapon.ready_at > view.step:
        text = f"{weapon.id} is recycling; ready in step {weapon.ready_at}."
        return Refusal("E_RECYCLING", text)
    locked = any(other.name == "lock" and other.args[0] in (ALL, weapon.id) for other in admitted)
    if not locked and view.living(weapon.lock) is None:
        return Refusal("E_NOLOCK", f"{weapon.id} has no target lock.")
    if weapon.health < FIRE_HEALTH_MIN:
        return Refusal("E_DAMAGED", f"{weapon.id} is damaged and cannot fire.")
    return None


def _refuse_distress(view: View, ship: Thing) -> Refusal | None:
    if not view.under_attack(ship):
        return Refusal("E_NOATTACK", "You are not under attack.")
    if view.step - ship.com.distress_at < CALL_AGAIN_STEPS:
        return Refusal("E_COOLDOWN", "Distress call already sent.")
    return None


def _refuse_upgrade(
    view: View, ship: Thing, track: str, admitted: Sequence[Command]
) -> Refusal | None:
    if view.docked_at(ship) is None:
        return Refusal("E_DOCK", "You must be docked at an own starbase.")
    levels, points = list(ship.com.upgrades), ship.com.points
    for other in admitted:
        if other.name == "upgrade":
            place = tables.TRACKS.index(str(other.args[0]))
            points -= tables.upgrade_cost(levels[place])
            levels[place] += 1
    level = levels[tables.TRACKS.index(track)]
    if level >= tables.LEVEL_MAX:
        return Refusal("E_MAXLEVEL", f"{track} is at its highest level.")
    if points < tables.upgrade_cost(level):
        return Refusal("E_POINTS", f"{tables.upgrade_cost(level)} points needed.")
    return None
