"""Galaxies to look at: one that played by itself, and a few that show what seldom happens."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apps.starship.display.screen import Look, Showing, screen_of
from apps.starship.pages import Page
from apps.starship.rules.creating import new_game
from apps.starship.rules.objects import Mission, Record, Shot, Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import THEME, aimed, galaxy, thing

STEPS = 80
"""Steps after which the ships have met, fought and called for help."""

HOME = (1_000_000, 3_000_000)
PAGE = Page(token="a-token", interval=30, next_in=3.5, key="a-key")

Screen = dict[str, Any]


@lru_cache(maxsize=1)
def played() -> State:
    """The galaxy of seed 42 after `STEPS` steps."""
    state = new_game(42, THEME)
    for _ in range(STEPS):
        state = advance(state)
    return state


@lru_cache(maxsize=1)
def ships() -> tuple[str, ...]:
    """The names of the starships in the galaxy that was played."""
    found = played().objects.values()
    return tuple(sorted(row.name for row in found if row.kind == "starship"))


def played_screen(ship: str, **look: Any) -> Screen:
    """The screen of a ship in the galaxy that was played."""
    made = _showing().screen(ship, Look(**{"mode": "captain", "left": 3, **look}))
    assert made is not None
    return {**made, "interval": 5.0}


@lru_cache(maxsize=1)
def _showing() -> Showing:
    return Showing(played())


def bounty(**changes: Any) -> Thing:
    """A ship of somebody who begins."""
    usual: dict[str, Any] = {"human": True, "speed": 20, "want_speed": 60, "heading": 451}
    return thing("Bounty", at=HOME, **{**usual, **changes})


def near(name: str, race: str, east: int, north: int, kind: str = "starship", **more: Any) -> Thing:
    """An object some units away from HOME."""
    at = HOME[0] + east * 1_000, HOME[1] + north * 1_000
    return thing(name, race, kind, at, **more)


def fight(ready: dict[str, int] | None = None, **changes: Any) -> State:
    """The Bounty under attack by Gath, 100 units to the east, with a friend and a planet near.

    ``ready`` are the steps from which weapons may fire again.
    """
    # Of a step in the past: what is shot is shown in the step in which it was.
    shot = Shot(50, "D1", "Bounty", 20, 900)
    gath = near("Gath", "K", 100, 0, heading=2_700, shots=(shot,), truce_until=0, captain=None)
    me = bounty(
        **{
            "last_hit": 50,
            "attackers": {"Gath": 50},
            "shields_up": True,
            "shields": (100, 55, 100, 100, 20, 0),
            "log": (
                Record(50, 0, "shot_hit", (("damage", 20), ("name", "Gath"), ("weapon", "P1"))),
            ),
            **changes,
        }
    )
    friend = near("Yorktown", "F", -80, 90, captain=None, distress_at=49, last_hit=49)
    planet = near("Vulcan", "F", 0, 200, "planet")
    free = near("Solace", "N", -150, -150, "planet")
    base = near("Aegis", "F", 40, -240, "starbase")
    foreign = near("Ironhold", "K", 230, 100, "starbase")
    return galaxy(
        aimed(me, "Gath", **(ready or {})), gath, friend, planet, free, base, foreign, step=50
    )


def docked(**changes: Any) -> State:
    """The Bounty docked at Aegis with points to spend."""
    me = bounty(speed=0, want_speed=0, points=120, upgrades=(2, 0, 0, 5, 0, 0), **changes)
    return galaxy(me, near("Aegis", "F", 5, 0, "starbase"), step=50)


def delivery() -> State:
    """The Bounty on a first delivery to Vulcan."""
    mission = Mission("deliver", 40, 200, 31, "Vulcan")
    me = bounty(mission=mission)
    aegis, vulcan = near("Aegis", "F", 90, 0, "starbase"), near("Vulcan", "F", 0, 200, "planet")
    return galaxy(me, aegis, vulcan, step=50)


def wreck() -> State:
    """The Bounty, destroyed by Gath a step ago."""
    me = bounty(dead_at=49, killer="Gath", hull=0, score=75, kills=1)
    return galaxy(me, near("Gath", "K", 60, 0, captain=None), step=50)


def seen(state: State, ship: str = "Bounty", **look: Any) -> Screen:
    """The screen of a ship, as its captain sees it unless told otherwise."""
    made = screen_of(state, ship, Look(**{"mode": "captain", "left": 3, **look}))
    assert made is not None
    return {**made, "interval": 5.0}


def scanned(state: State, ship: str = "Bounty", **look: Any) -> Screen:
    """The same as anybody else sees it."""
    return seen(state, ship, **{"mode": "scan", **look})
