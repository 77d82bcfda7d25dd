"""Captains at the primary: pass-phrases, coming back, leaving, ships that outlive a game."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from apps.starship.objects import captains
from apps.starship.objects.captains import SILENT_SECONDS, Activity
from apps.starship.rules.creating import new_game
from apps.starship.rules.tables import design_of
from tests.starship.objects.games import SEED, SavedGame
from tests.starship.rules.galaxy import THEME
from vista.testing import World

ME, OTHER = 7, 8
PHRASE = "open sesame"


@pytest.fixture
def game() -> Iterator[SavedGame]:
    with World(8) as world:
        yield SavedGame(world)


def captain(game: SavedGame, ship: str) -> int | None:
    found: int | None = game.things()[ship]["meta"]["captain"]
    return found


def test_a_ship_with_a_phrase_is_given_back_to_who_knows_it(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME, PHRASE) == (True, "Bounty", "")
    game.steps(1)
    assert game.call("leave", "Bounty", ME)
    game.steps(1)
    refused = (False, "E_PHRASE", "Bounty has an owner. Its pass-phrase is needed.")
    assert game.call("take", "Bounty", OTHER) == refused
    assert game.call("take", "bounty", OTHER, "open barley")[1] == "E_PHRASE"
    game.steps(1)
    assert captain(game, "Bounty") is None
    assert game.call("take", "bounty", OTHER, PHRASE) == (True, "Bounty", "")
    game.steps(1)
    assert captain(game, "Bounty") == OTHER


def test_a_name_that_cannot_be_costs_no_work_on_a_pass_phrase(
    game: SavedGame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captains, "SEALS_MAX", 0)
    assert game.call("enlist", "Bounty", "F", ME, PHRASE)[1] == "E_BUSY"
    assert game.call("enlist", "Lexington", "F", ME, PHRASE)[1] == "E_TAKEN"
    assert game.call("enlist", "a b", "F", ME, PHRASE)[1] == "E_NAME"


def test_its_captain_comes_back_without_the_phrase(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME, PHRASE)[0]
    game.steps(1)
    assert game.call("leave", "Bounty", ME)
    game.steps(1)
    assert game.call("take", "Bounty", ME)[0]


def test_a_ship_without_a_phrase_is_anybodys_once_it_is_left(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME)[0]
    game.steps(1)
    assert game.call("take", "Bounty", OTHER)[1] == "E_CAPTAINED"
    assert game.call("leave", "Bounty", ME)
    game.steps(1)
    assert game.call("take", "Bounty", OTHER)[0]


@pytest.mark.parametrize("phrase", ["x" * 201, "a\nb"], ids=["long", "lines"])
def test_what_is_no_phrase_makes_no_ship(game: SavedGame, phrase: str) -> None:
    ok, code, text = game.call("enlist", "Bounty", "F", ME, phrase)
    assert (ok, code) == (False, "E_ARG")
    assert phrase not in text
    game.steps(1)
    assert "Bounty" not in game.things()


def test_no_phrase_and_no_hash_of_it_is_told_by_anybody(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME, PHRASE)[0]
    game.steps(1)
    told = repr(game.call("get_servers_table")) + repr(game.things())
    names = game.node.call(lambda: game.primary.get_names())
    told += repr(game.node.call(names.list_owned))
    for most in (None, 1_000):
        seen = game.node.call(
            lambda most=most: names.extract_instance_variables(outline_characters_max=most)
        )
        told += repr(seen)
    assert "1 hashes, not shown" in told
    assert PHRASE not in told and "scrypt" not in told


def test_who_is_silent_has_left_and_the_log_of_the_ship_says_so(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME)[0]
    assert game.call("enlist", "Argo", "F", OTHER)[0]
    game.steps(1)
    for _ in range(12):
        game.world.pass_time(SILENT_SECONDS / 9)
        game.call("captain_active", OTHER)
    assert (captain(game, "Bounty"), captain(game, "Argo")) == (None, OTHER)
    log = game.things()["Bounty"]["com"]["log"]
    assert "captain_left" in [record["key"] for record in log]


def test_orders_count_as_a_word(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME)[0]
    game.steps(1)
    for _ in range(12):
        game.world.pass_time(SILENT_SECONDS / 9)
        game.call("order", "Bounty", ME, "", "course", ["1"])
    assert captain(game, "Bounty") == ME


def test_who_loads_his_page_seldom_has_three_times_as_long() -> None:
    state = new_game(SEED, THEME)
    name = next(n for n, thing in state.objects.items() if thing.kind == "starship")
    ship = state.objects[name]
    ship = ship._replace(meta=ship.meta.changed({"captain": ME}))
    state.objects[name] = ship
    activity = Activity(30.0)
    activity.hear(ME, 100.0, 600.0)
    assert activity.silent(state, 100.0 + 1_790) == []
    assert activity.silent(state, 100.0 + 1_801) == [(name, ME)]


def test_after_a_restart_captains_have_their_time_again(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME)[0]
    game.steps(1)
    game.fall()
    game.steps(2)
    assert captain(game, "Bounty") == ME
    game.world.pass_time(SILENT_SECONDS + 20)
    assert captain(game, "Bounty") is None


def test_what_is_admitted_for_the_next_step_is_told(game: SavedGame) -> None:
    assert game.call("enlist", "Bounty", "F", ME)[0]
    game.steps(1)
    assert game.call("order", "Bounty", ME, "", "course", ["45.5"])[0]
    left, sentences, step = game.call("get_orders", "bounty")
    assert (left, sentences, step) == (2, ["course 45.5"], game.step() + 1)


def earn(game: SavedGame) -> None:
    """Give the Bounty an owner and a past."""
    assert game.call("enlist", "Bounty", "F", ME, PHRASE)[0]
    game.steps(1)
    assert game.call("leave", "Bounty", ME)
    game.steps(1)


def test_an_owners_ship_outlives_the_game(game: SavedGame) -> None:
    earn(game)
    game.fall(seed=SEED + 1)
    assert "Bounty" not in game.things()
    own = game.node.call(lambda: game.primary.get_own_server())
    offered = game.node.call(own.get_lists)["take"]
    game.steps(1)
    offered = game.node.call(own.get_lists)["take"]
    assert {"name": "Bounty", "full_name": "Federation Starship Bounty"} in offered
    assert game.call("take", "Bounty", OTHER)[0] is False
    assert game.call("take", "Bounty", OTHER, PHRASE) == (True, "Bounty", "")
    game.steps(1)
    ship = game.things()["Bounty"]
    assert ship["meta"]["captain"] == OTHER
    assert ship["tac"]["hull"] == design_of("F", "starship").hull
    offered = game.node.call(own.get_lists)["take"]
    assert "Bounty" not in [row["name"] for row in offered]


def test_a_ship_that_is_left_over_comes_back_once_however_many_know_the_phrase(
    game: SavedGame,
) -> None:
    earn(game)
    game.fall(seed=SEED + 1)

    def at_once() -> list[tuple[bool, str, str]]:
        primary = game.primary
        calls = [vista.future(primary, "take", "Bounty", who, PHRASE) for who in (OTHER, OTHER + 1)]
        return [call.result() for call in calls]

    answers = sorted(answer[:2] for answer in game.node.call(at_once))
    assert answers == [(False, "E_CAPTAINED"), (True, "Bounty")]
    game.steps(1)
    assert "Bounty-2" not in game.things()


def test_nobody_else_gets_the_name_of_a_ship_that_is_left_over(game: SavedGame) -> None:
    earn(game)
    game.fall(seed=SEED + 1)
    assert game.call("enlist", "bounty", "K", OTHER)[1] == "E_TAKEN"


def test_a_ship_of_the_computer_that_has_the_name_is_another_one(game: SavedGame) -> None:
    computers = next(n for n, t in game.things().items() if t["meta"]["kind"] == "starship")
    game.call("enlist", "Bounty", "F", ME, PHRASE)
    names = game.node.call(lambda: game.primary.get_names())
    game.steps(1)
    game.node.call(lambda: names.set_captain("Bounty", ME, computers))
    game.fall(seed=SEED, new_game=True)
    game.settings["new_game"] = False
    assert game.call("take", computers, ME) == (True, f"{computers}-2", "")
    assert game.call("take", computers, OTHER)[0]


def test_lost_ships_stay_on_the_leaderboard_and_are_nobodys(game: SavedGame) -> None:
    earn(game)
    names = game.node.call(lambda: game.primary.get_names())
    row = {
        "name": "Bounty", "race": "F", "score": 5, "kills": 0, "step": 3, "lost": True,
    }  # fmt: skip
    for _ in range(2):
        game.node.call(lambda: names.lose([row]))
    assert game.node.call(names.get_lost_rows) == [row]
    assert game.node.call(lambda: names.get_owned("Bounty")) is None
    game.fall(seed=SEED + 1)
    names = game.node.call(lambda: game.primary.get_names())
    assert game.node.call(names.get_lost_rows) == [row]
