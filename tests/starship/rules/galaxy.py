"""Small galaxies for tests: a few objects at chosen places, with chosen attributes."""

from __future__ import annotations

from typing import Any

from apps.starship.rules.creating import new_thing
from apps.starship.rules.objects import Thing, Weapon
from apps.starship.rules.state import Settings, State
from apps.starship.rules.theme import Theme
from apps.starship.themes import shipped_theme

THEME: Theme = shipped_theme()
CAPTAIN = 1
"""The session number of every captain in these tests."""


def thing(
    name: str,
    race: str = "F",
    kind: str = "starship",
    at: tuple[int, int] = (1_000_000, 1_000_000),
    captain: int | None = CAPTAIN,
    number: int = 0,
    **changes: Any,
) -> Thing:
    """Return an object made at step 0 with attributes changed, whatever group they are of."""
    made = new_thing(number, name, race, kind, at, 0, captain if kind == "starship" else None)
    return changed(made, **changes)


def changed(made: Thing, **changes: Any) -> Thing:
    """Return an object with attributes changed, whatever group they are of."""
    for name, value in changes.items():
        group = next(g for g in ("meta", "nav", "tac", "com") if name in getattr(made, g).names)
        made = made.with_group(group, getattr(made, group).changed({name: value}))
    return made


def galaxy(*things: Thing, step: int = 0, seed: int = 42, **settings: int) -> State:
    """Return a state with these objects only, whose numbers are their places."""
    objects = {made.name: changed(made, id=number) for number, made in enumerate(things, 1)}
    return State(seed, step, Settings(**settings), THEME, objects, len(things) + 1)


def aimed(made: Thing, target: str, **ready: int) -> Thing:
    """Return a ship with all weapons locked on a target; ``ready`` has ready_at by weapon."""
    weapons = tuple(
        weapon._replace(lock=target, ready_at=ready.get(weapon.id, 0))
        for weapon in made.tac.weapons
    )
    return changed(made, weapons=weapons)


def weapon(made: Thing, name: str) -> Weapon:
    """Return a weapon of an object by its id."""
    return next(found for found in made.tac.weapons if found.id == name)


def keys(made: Thing) -> list[str]:
    """Return the keys of all three logs of an object."""
    logs = (made.nav.log, made.tac.log, made.com.log)
    return [record.key for log in logs for record in log]
