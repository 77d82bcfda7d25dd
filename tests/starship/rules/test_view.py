"""What is near a place: the same as looking at every object."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules.arithmetic import UNIT, dist
from apps.starship.rules.creating import new_game
from apps.starship.rules.state import Settings, View
from apps.starship.rules.theme import INDEPENDENT, RACES
from apps.starship.themes import shipped_theme

VIEW = View(new_game(7, shipped_theme(), Settings(ships=8, starships_max=64)))
PLACES = st.integers(0, 8_000 * UNIT)


def far_off(name: str, x: int, y: int) -> int:
    nav = VIEW.objects[name].nav
    return dist(nav.x - x, nav.y - y)


@given(PLACES, PLACES, st.integers(0, 1_500 * UNIT))
def test_near_finds_everything_within_reach(x: int, y: int, reach: int) -> None:
    found = {thing.name: way for way, thing in VIEW.near(x, y, reach)}
    ways = {name: far_off(name, x, y) for name in VIEW.names}
    assert found == {name: way for name, way in ways.items() if way <= reach}


@given(st.sampled_from(VIEW.names), st.integers(0, 20))
def test_near_finds_what_lies_at_the_very_edge(name: str, short: int) -> None:
    nav = VIEW.objects[name].nav
    x, y = nav.x + 300 * UNIT, nav.y + 7
    way = far_off(name, x, y)
    assert (name in {thing.name for _way, thing in VIEW.near(x, y, way - short)}) == (short == 0)


@given(PLACES, PLACES, st.sampled_from(RACES))
def test_own_ships_strangers_and_independents_are_all_that_is_near(
    x: int, y: int, race: str
) -> None:
    reach = 1_000 * UNIT
    near = {thing.name: thing.race for _way, thing in VIEW.near(x, y, reach)}
    own = {thing.name for _way, thing in VIEW.near_of(x, y, reach, race)}
    strangers = {thing.name for _way, thing in VIEW.near_strangers(x, y, reach, race)}
    assert own == {name for name, other in near.items() if other == race}
    assert strangers == {name for name, other in near.items() if other not in (race, INDEPENDENT)}
