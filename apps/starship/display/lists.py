"""The lists of the login page: races to choose from, ships to scan and ships to take."""

from __future__ import annotations

from typing import Any

from apps.starship.display.contacts import full_name_of
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import State
from apps.starship.rules.theme import RACES


def lists_of(state: State) -> dict[str, Any]:
    """Return what the login page offers.

    ``races`` with their living ships and how many of those have a captain; ``fewest`` the race with
    the fewest captains, which is offered first; ``scan`` all ships and ``take`` those without a
    captain, by name; ``full`` whether no ship can be made.
    """
    view = state.view()
    ships = [
        view.objects[name]
        for name in view.names
        if view.objects[name].kind == "starship" and view.objects[name].alive
    ]
    races = [_race(state, race, ships) for race in RACES]
    homes = ("starbase", "planet")
    open_ = [row for row in races if any(view.of.get((row["key"], kind)) for kind in homes)]
    # Wrecks count until they are gone, as they do when a ship is made.
    count = sum(thing.kind == "starship" for thing in state.objects.values())
    return {
        "step": state.step,
        "races": races,
        "fewest": min(open_ or races, key=lambda row: int(row["captains"]))["key"],
        "scan": [_choice(state, ship) for ship in ships],
        "take": [_choice(state, ship) for ship in ships if ship.meta.captain is None],
        "full": count >= state.settings.starships_max,
    }


def _race(state: State, race: str, ships: list[Thing]) -> dict[str, Any]:
    own = [ship for ship in ships if ship.race == race]
    return {
        "key": race,
        "name": state.theme.races[race].name,
        "ships": len(own),
        "captains": sum(ship.meta.captain is not None for ship in own),
    }


def _choice(state: State, ship: Thing) -> dict[str, str]:
    return {"name": ship.name, "full_name": full_name_of(state.theme, ship)}
