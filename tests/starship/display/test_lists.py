"""The lists of the login page."""

from __future__ import annotations

from apps.starship.display.lists import lists_of
from apps.starship.rules.creating import new_game
from tests.starship.rules.galaxy import THEME, galaxy, thing

BASES = [thing(f"Base{race}", race, "starbase") for race in "FKRO"]


def test_a_new_game_offers_all_races_and_its_ships() -> None:
    lists = lists_of(new_game(42, THEME))
    assert list(lists) == ["step", "races", "fewest", "scan", "take", "full"]
    assert lists["races"][0] == {"key": "F", "name": "Federation", "ships": 10, "captains": 0}
    assert [row["key"] for row in lists["races"]] == ["F", "K", "R", "O"]
    assert len(lists["scan"]) == len(lists["take"]) == 40
    assert lists["full"] is False


def test_ships_stand_by_name_and_only_those_without_captain_can_be_taken() -> None:
    lists = lists_of(galaxy(thing("Beacon"), thing("Argosy", captain=None), *BASES))
    assert [row["name"] for row in lists["scan"]] == ["Argosy", "Beacon"]
    assert lists["take"] == [{"name": "Argosy", "full_name": "Federation Starship Argosy"}]


def test_the_race_with_the_fewest_captains_is_offered_first() -> None:
    ships = [thing("Aa", "F"), thing("Bb", "K"), thing("Cc", "O"), thing("Dd", "R", captain=None)]
    assert lists_of(galaxy(*ships, *BASES))["fewest"] == "R"


def test_a_race_that_has_nowhere_to_build_a_ship_is_not_offered_first() -> None:
    planet = thing("Terra", "F", "planet")
    assert lists_of(galaxy(planet, *BASES[1:]))["fewest"] == "F"
    assert lists_of(galaxy(*BASES[1:]))["fewest"] == "K"


def test_wrecks_are_not_offered() -> None:
    lists = lists_of(galaxy(thing("Argosy", captain=None, dead_at=3, hull=0), *BASES))
    assert (lists["scan"], lists["take"]) == ([], [])


def test_a_galaxy_is_full_when_the_last_place_is_taken() -> None:
    ships = [thing("Aa"), thing("Bb", dead_at=1, hull=0)]
    settings = {"ships": 0, "human_reserve": 2}
    assert lists_of(galaxy(*ships, *BASES, starships_max=2, **settings))["full"] is True
    assert lists_of(galaxy(*ships, *BASES, starships_max=3, **settings))["full"] is False
