"""New games and names (design, sections 2.1 to 2.4)."""

from __future__ import annotations

import itertools

import pytest

from apps.starship.errors import ScenarioError, ThemeError
from apps.starship.rules.arithmetic import dist
from apps.starship.rules.creating import automatic_name, check_name, new_game
from apps.starship.rules.geography import NEUTRAL, QUADRANT, Geography
from apps.starship.rules.state import Settings
from apps.starship.rules.theme import parse_theme
from tests.starship.rules.galaxy import THEME, galaxy, thing
from vista import BadValueError


@pytest.mark.parametrize("seed", range(20))
def test_a_new_galaxy(seed: int) -> None:
    state, geography = new_game(seed, THEME), Geography()
    count = {(race, kind): 0 for race in "FKRON" for kind in ("starship", "starbase", "planet")}
    for made in state.objects.values():
        count[made.race, made.kind] += 1
        owner = geography.owner(made.nav.x, made.nav.y)
        assert owner == (NEUTRAL if made.race == "N" else made.race)
    for race in "FKRO":
        assert [count[race, kind] for kind in ("starship", "starbase", "planet")] == [10, 3, 6]
    assert [count["N", kind] for kind in ("starship", "starbase", "planet")] == [0, 0, 8]
    assert len(state.objects) == 84
    assert sorted(made.meta.id for made in state.objects.values()) == list(range(1, 85))


@pytest.mark.parametrize("seed", range(20))
def test_fixed_objects_are_apart(seed: int) -> None:
    fixed = [made for made in new_game(seed, THEME).objects.values() if made.kind != "starship"]
    for one, other in itertools.combinations(fixed, 2):
        assert dist(one.nav.x - other.nav.x, one.nav.y - other.nav.y) >= 60_000
    for made in fixed:
        inside = [place % QUADRANT for place in (made.nav.x, made.nav.y)]
        if made.kind == "planet":
            assert all(40_000 <= place < QUADRANT - 40_000 for place in inside)
        else:
            assert inside == [QUADRANT // 2] * 2


def test_ships_begin_beside_a_starbase() -> None:
    state = new_game(3, THEME)
    bases = {
        (made.race, made.nav.x + 5_000, made.nav.y)
        for made in state.objects.values()
        if made.kind == "starbase"
    }
    for made in state.objects.values():
        if made.kind == "starship":
            assert (made.race, made.nav.x, made.nav.y) in bases
            assert (made.nav.speed, made.tac.shields_up, made.tac.power) == (0, False, "balanced")


def test_seeds_make_different_galaxies() -> None:
    places = {
        tuple(sorted((made.nav.x, made.nav.y) for made in new_game(seed, THEME).objects.values()))
        for seed in range(10)
    }
    assert len(places) == 10


def test_a_large_galaxy() -> None:
    settings = Settings(
        across=16, ships=200, bases=12, planets=24, free_planets=32, starships_max=900
    )
    state = new_game(1, THEME, settings)
    assert len(state.objects) == 4 * (200 + 12 + 24) + 32
    assert max(made.nav.x for made in state.objects.values()) > 4_000_000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(commands_per_step=0), "commands_per_step"),
        (Settings(starships_max=55), "need 56"),
        (Settings(bases=13), "12 quadrants"),
        (Settings(bases=0), "a starbase"),
        (Settings(planets=10_000, starships_max=100), "no room"),
    ],
    ids=["orders", "bound", "bases", "none", "planets"],
)
def test_settings_that_cannot_be(settings: Settings, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        new_game(1, THEME, settings)


def test_a_galaxy_has_one_of_three_sizes() -> None:
    with pytest.raises(BadValueError, match="8, 16 or 24"):
        new_game(1, THEME, Settings(across=9))


def test_the_map_looks_the_same_after_a_quarter_turn() -> None:
    geography = Geography()
    last = geography.size - 1
    turned = {"F": "K", "K": "O", "O": "R", "R": "F", NEUTRAL: NEUTRAL}
    for column, row in itertools.product(range(8), repeat=2):
        x, y = geography.centre(column, row)
        assert geography.owner(y, last - x) == turned[geography.owner(x, y)]
    assert {race: len(geography.owned(race)) for race in "FKRO."} == {
        "F": 12, "K": 12, "R": 12, "O": 12, NEUTRAL: 16,
    }  # fmt: skip


def test_quadrants_by_place() -> None:
    geography = Geography()
    corners = [(0, 3_999_999), (3_999_999, 3_999_999), (0, 0), (3_999_999, 0)]
    assert [geography.quadrant(x, y) for x, y in corners] == ["A1", "H1", "A8", "H8"]
    assert geography.quadrant(499_999, 3_500_000) == "A1"
    assert geography.quadrant(500_000, 3_499_999) == "B2"


# --- names ---------------------------------------------------------------------------------

STATE = galaxy(thing("Lexington"))


@pytest.mark.parametrize("name", ["Ab", "x-1", "A_b-c", "A123456789012345"])
def test_names_that_can_be(name: str) -> None:
    assert check_name(STATE, name) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("A", "E_NAME"), ("A1234567890123456", "E_NAME"), ("1A", "E_NAME"), ("A b", "E_NAME"),
        ("<b>", "E_NAME"), ("Ä1", "E_NAME"), ("", "E_NAME"), ("Ab\n", "E_NAME"), ("all", "E_NAME"),
        ("SELF", "E_NAME"), ("federation", "E_NAME"), ("LEXINGTON", "E_TAKEN"),
    ],
)  # fmt: skip
def test_names_that_cannot_be(name: str, code: str) -> None:
    found = check_name(STATE, name)
    assert found is not None
    assert found.code == code


def test_automatic_names_go_through_the_list() -> None:
    state = galaxy()
    names = THEME.races["F"].starships
    first = automatic_name(state, "F")
    assert first in names
    following = names[(names.index(first) + 1) % len(names)]
    assert automatic_name(galaxy(thing(first.upper())), "F") == following


def test_automatic_names_are_numbered_when_all_are_in_use() -> None:
    taken = [thing(name) for name in THEME.races["F"].starships]
    name = automatic_name(galaxy(*taken), "F")
    assert name.removesuffix("-2") in THEME.races["F"].starships
    assert automatic_name(galaxy(*taken, thing(name)), "F") not in {name, *(t.name for t in taken)}


def test_the_name_of_a_lost_ship_is_not_given_again_at_once() -> None:
    from dataclasses import replace

    first = automatic_name(galaxy(step=5), "F")
    state = replace(galaxy(step=5), names={first.lower(): 6})
    assert automatic_name(state, "F") != first
    assert check_name(state, first) is not None


# --- themes --------------------------------------------------------------------------------


def test_full_names() -> None:
    assert THEME.full_name("F", "planet", "Vulcan") == "Federation Planet Vulcan"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names for the races"),
        ("[]", "names for the races"),
        ('{"races": {}}', "names for the races"),
        ('{"races": {"F": {"name": 5}}}', "names for the races"),
    ],
)
def test_themes_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ThemeError, match=words):
        parse_theme(text)


def theme_text(**names: str) -> str:
    import json

    races = {
        key: {"name": f"Race{key}", "planets": f"P{key}", "starbases": f"B{key}",
              "starships": f"S{key}"}
        for key in "FKRON"
    }  # fmt: skip
    races["F"].update(names)
    return json.dumps({"races": races})


def test_a_theme_of_ones_own() -> None:
    assert parse_theme(theme_text(name="Harbour")).races["F"].name == "Harbour"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"name": "<b>"}, "is no name"), ({"starships": "all"}, "is no name"),
        ({"starships": "SK"}, "stands twice"), ({"starships": "racef"}, "stands twice"),
        ({"starbases": ""}, "names are missing"),
    ],
)  # fmt: skip
def test_themes_with_bad_names(names: dict[str, str], words: str) -> None:
    with pytest.raises(ThemeError, match=words):
        parse_theme(theme_text(**names))
