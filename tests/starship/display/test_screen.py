"""A screen as a whole: its shape, who sees what, and that nothing it is asked makes it fail."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.display.screen import (
    MODES,
    ORDERS_SHOWN_MAX,
    RADII,
    Look,
    Showing,
    look_of,
    order_text,
    screen_of,
)
from apps.starship.rules.commands import Command, read_command
from apps.starship.rules.creating import new_game
from apps.starship.rules.objects import Shot, Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import CAPTAIN, THEME, aimed, changed, galaxy, thing

CAPTAINS = Look(mode="captain", left=3)
KEYS = (
    "step ship mode left limit orders alert shields status srs lrs target distress nav weapons"
    " mission next_mission_in messages hints lost"
).split()
CONTACT_KEYS = (
    "name full_name race kind x y distance bearing relative heading speed stance fleet distress"
    " captain label valid_target"
).split()


def shown(ship: Thing, *others: Thing, look: Look = CAPTAINS, step: int = 9) -> dict[str, Any]:
    screen = screen_of(galaxy(ship, *others, step=step), ship.name, look)
    assert screen is not None
    return screen


def contact(screen: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in screen["lrs"]["contacts"] if row["name"] == name)


LEXINGTON = thing("Lexington")


# --- shape ---------------------------------------------------------------------------------


def test_a_screen_has_every_part_in_its_order() -> None:
    assert list(shown(LEXINGTON)) == KEYS


def test_a_contact_has_every_value_in_its_order() -> None:
    gath = thing("Gath", "K", at=(1_300_000, 1_400_000))
    assert list(contact(shown(LEXINGTON, gath), "Gath")) == CONTACT_KEYS


def test_there_is_no_screen_of_what_is_not_there() -> None:
    assert screen_of(galaxy(LEXINGTON), "Nobody", Look()) is None


def test_a_ship_is_found_however_its_name_is_written() -> None:
    screen = screen_of(galaxy(LEXINGTON), "lexINGTON", Look())
    assert screen is not None and screen["ship"]["name"] == "Lexington"


def test_the_ship_is_told_as_captains_read_it() -> None:
    ship = shown(changed(LEXINGTON, heading=451))["ship"]
    assert ship == {
        "name": "Lexington",
        "full_name": "Federation Starship Lexington",
        "race": "F",
        "race_name": "Federation",
        "kind": "starship",
        "quadrant": "C6",
        "owner": "R",
        "owner_name": "Rethian",
        "alive": True,
        "captain": "human",
        "heading": 45.1,
        "x": 1000.0,
        "y": 1000.0,
        "colour": "self",
    }


def test_neutral_space_has_no_owner() -> None:
    ship = shown(changed(LEXINGTON, x=1_750_000))["ship"]
    assert (ship["owner"], ship["owner_name"]) == (".", "neutral")


@pytest.mark.parametrize(
    ("captain", "human", "who"),
    [(CAPTAIN, True, "human"), (None, True, "caretaker"), (None, False, "computer")],
)
def test_a_ship_is_commanded_by(captain: int | None, human: bool, who: str) -> None:
    assert shown(changed(LEXINGTON, captain=captain, human=human))["ship"]["captain"] == who


# --- contacts ------------------------------------------------------------------------------


def test_a_contact_says_where_it_is() -> None:
    gath = thing("Gath", "K", at=(1_300_000, 1_400_000), heading=900, speed=35)
    row = contact(shown(changed(LEXINGTON, heading=400), gath), "Gath")
    assert (row["x"], row["y"], row["distance"]) == (1300.0, 1400.0, 500.0)
    assert (row["bearing"], row["relative"]) == (36.9, 356.9)
    assert (row["heading"], row["speed"]) == (90.0, 3.5)


def test_a_contact_is_spoken_with_stance_distance_and_bearing() -> None:
    gath = thing("Gath", "K", at=(1_084_853, 1_084_853))
    ship = changed(LEXINGTON, attackers={"Gath": 9})
    label = contact(shown(ship, gath), "Gath")["label"]
    assert label == "Kolvar Starship Gath, attacker, 120 units, bearing 045"


@pytest.mark.parametrize(
    ("race", "kind", "attackers", "stance"),
    [
        ("F", "starship", {"Other": 9}, "friend"),
        ("K", "starship", {}, "enemy"),
        ("K", "planet", {}, "enemy"),
        ("K", "starship", {"Other": 9}, "attacker"),
        ("N", "planet", {}, "neutral"),
        ("N", "planet", {"Other": 9}, "attacker"),
    ],
)
def test_friend_or_foe(race: str, kind: str, attackers: dict[str, int], stance: str) -> None:
    other = thing("Other", race, kind, at=(1_050_000, 1_000_000))
    screen = shown(changed(LEXINGTON, attackers=attackers), other)
    assert contact(screen, "Other")["stance"] == stance


def test_only_what_is_of_another_race_and_not_independent_is_a_target() -> None:
    screen = shown(LEXINGTON, thing("Gath", "K"), thing("Argosy"), thing("Tarn", "N", "planet"))
    valid = {row["name"]: row["valid_target"] for row in screen["lrs"]["contacts"]}
    assert valid == {"Gath": True, "Argosy": False, "Tarn": False}


def test_a_call_for_help_is_seen_by_the_own_side_only() -> None:
    argosy = thing("Argosy", distress_at=8)
    gath = thing("Gath", "K", distress_at=8)
    screen = shown(LEXINGTON, argosy, gath)
    assert contact(screen, "Argosy")["distress"] is True
    assert contact(screen, "Gath")["distress"] is False


def test_a_contact_says_whom_it_is_coming_to() -> None:
    argosy = thing("Argosy", responding_to="Lexington", responding_at=8)
    assert contact(shown(LEXINGTON, argosy), "Argosy")["fleet"] == "Lexington"


def test_contacts_stand_nearest_first_without_the_ship_and_without_wrecks() -> None:
    screen = shown(
        LEXINGTON,
        thing("Gath", "K", at=(1_200_000, 1_000_000)),
        thing("Argosy", at=(1_100_000, 1_000_000)),
        thing("Aurora", at=(1_000_000, 1_100_000)),
        thing("Vorn", "K", at=(1_010_000, 1_000_000), dead_at=8, hull=0),
    )
    assert [row["name"] for row in screen["srs"]["contacts"]] == ["Argosy", "Aurora", "Gath"]


def test_the_short_range_scan_ends_at_its_radius() -> None:
    edge = thing("Gath", "K", at=(1_300_000, 1_000_000))
    beyond = thing("Vorn", "K", at=(1_300_001, 1_000_000))
    screen = shown(LEXINGTON, edge, beyond)
    assert [row["name"] for row in screen["srs"]["contacts"]] == ["Gath"]
    assert len(screen["lrs"]["contacts"]) == 2


def test_damaged_sensors_see_own_race_and_what_is_near() -> None:
    ship = changed(LEXINGTON, systems=(100, 100, 100, 39))
    screen = shown(
        ship,
        thing("Near", "K", at=(2_000_000, 1_000_000)),
        thing("Far", "K", at=(2_000_001, 1_000_000)),
        thing("Own", at=(3_900_000, 1_000_000)),
    )
    assert [row["name"] for row in screen["lrs"]["contacts"]] == ["Near", "Own"]


def test_what_sensors_do_not_see_is_no_target() -> None:
    ship = changed(LEXINGTON, systems=(100, 100, 100, 39))
    far = thing("Far", "K", at=(3_000_000, 1_000_000))
    assert shown(ship, far, look=Look("Far"))["target"] is None
    assert shown(LEXINGTON, far, look=Look("Far"))["target"] is not None


# --- modes and orders ----------------------------------------------------------------------


def test_who_only_looks_on_can_order_nothing() -> None:
    ship = changed(aimed(LEXINGTON, "Gath"), last_hit=9)
    screen = shown(ship, thing("Gath", "K"), look=Look(left=3))
    assert screen["left"] == 0
    assert {row["refusal"] for row in screen["weapons"]} == {"You are not in command of Lexington."}
    assert screen["distress"]["enabled"] is False
    assert screen["hints"] == []


def test_without_orders_left_nothing_can_be_fired() -> None:
    screen = shown(aimed(LEXINGTON, "Gath"), thing("Gath", "K"), look=Look(mode="captain", left=0))
    assert not any(row["can_fire"] for row in screen["weapons"])
    assert screen["weapons"][0]["refusal"] == "Only 3 orders per step."


def test_a_weapon_that_was_ordered_to_fire_is_not_offered_again() -> None:
    look = Look(mode="captain", left=2, orders=("fire P1",))
    screen = shown(aimed(LEXINGTON, "Gath"), thing("Gath", "K"), look=look)
    first, second = screen["weapons"][:2]
    assert first["refusal"] == "P1 has already been ordered to fire this step."
    assert second["can_fire"] is True
    assert screen["orders"] == ["fire P1"]


def test_a_weapon_that_was_ordered_to_lock_can_be_fired() -> None:
    look = Look(mode="captain", left=2, orders=("lock all Gath",))
    screen = shown(LEXINGTON, thing("Gath", "K"), look=look)
    assert all(row["can_fire"] for row in screen["weapons"])


@pytest.mark.parametrize(
    "words", ["course 45.1", "speed 6.0", "course_to 1000.0 2000.5", "lock all Gath", "distress"]
)
def test_an_order_is_written_as_it_is_read(words: str) -> None:
    ship = changed(LEXINGTON, last_hit=9)
    state = galaxy(ship, thing("Gath", "K"))
    command = read_command(state.view(), ship, words.split()[0], words.split()[1:])
    assert isinstance(command, Command)
    assert order_text(command) == words


# --- wrecks --------------------------------------------------------------------------------


def test_the_screen_of_a_wreck_says_who_destroyed_it() -> None:
    wreck = changed(LEXINGTON, created_at=2, dead_at=9, killer="Gath", hull=-7, score=70, kills=1)
    screen = shown(wreck, thing("Gath", "K"))
    assert screen["lost"] == {
        "killer": "Kolvar Starship Gath",
        "score": 70,
        "steps_lived": 7,
        "kills": 1,
    }
    assert screen["ship"]["alive"] is False
    assert screen["status"]["hull"]["value"] == 0
    assert screen["weapons"][0]["refusal"] == "Lexington is destroyed."


def test_a_killer_that_is_gone_is_told_by_its_name() -> None:
    screen = shown(changed(LEXINGTON, dead_at=9, killer="Gath", hull=0))
    assert screen["lost"]["killer"] == "Gath"


def test_a_living_ship_is_not_lost() -> None:
    assert shown(LEXINGTON)["lost"] is None


# --- messages ------------------------------------------------------------------------------


def test_messages_are_newest_first_and_at_most_50() -> None:
    state = galaxy(LEXINGTON)
    for step in range(40):
        order = Command("course", (step,)), Command("dest", ("Nobody",))
        state = advance(state, {"Lexington": order})
    # Two logs of thirty lines each, of which fifty fit.
    ship = state.objects["Lexington"]
    ship = changed(ship, log=ship.nav.log)
    ship = ship._replace(tac=ship.tac.changed({"log": ship.nav.log}))
    screen = shown(ship, step=state.step)
    steps = [row["step"] for row in screen["messages"]]
    assert len(steps) == 50
    assert steps == sorted(steps, reverse=True)
    assert screen["messages"][0]["text"] == "Destination Nobody is gone"


def test_an_open_call_in_the_messages_can_be_answered() -> None:
    far = (1_000_000, 1_600_000)
    argosy = thing("Argosy", at=far, distress_at=9, captain=7)
    state = advance(galaxy(changed(LEXINGTON, next_mission_at=99), argosy, step=9))
    look = Look(mode="captain", left=3)
    screen = screen_of(state, "Lexington", look)
    assert screen is not None
    calls = [row for row in screen["messages"] if row["key"] == "distress"]
    assert [(row["respond"], row["icon"]) for row in calls] == [("Argosy", "distress")]


def test_who_looks_on_is_not_offered_to_answer() -> None:
    argosy = thing("Argosy", at=(1_000_000, 1_600_000), distress_at=9, captain=7)
    state = advance(galaxy(changed(LEXINGTON, next_mission_at=99), argosy, step=9))
    screen = screen_of(state, "Lexington", Look())
    assert screen is not None
    assert {row["respond"] for row in screen["messages"]} == {None}


# --- looks from outside --------------------------------------------------------------------


def test_a_look_from_outside_keeps_what_is_a_value() -> None:
    row = {"target": "Gath", "radius": 500, "mode": "captain", "left": 2, "orders": ["fire P1"]}
    assert look_of(row) == Look("Gath", 500, "captain", 2, ("fire P1",))


@pytest.mark.parametrize(
    "row",
    [
        {"target": "<b>"},
        {"target": ["Gath"]},
        {"radius": 301},
        {"radius": True},
        {"radius": 300.0},
        {"mode": "admiral"},
        {"mode": ["captain"]},
        {"left": -1},
        {"left": "3"},
        {"orders": 7},
        {"orders": [None, "", "a" * 101, "fire\nP1"]},
    ],
    ids=str,
)
def test_what_is_no_value_of_a_look_is_its_default(row: dict[str, Any]) -> None:
    assert look_of(row) == Look()


def test_a_look_shows_a_bounded_number_of_orders() -> None:
    assert len(look_of({"orders": ["distress"] * 99}).orders) == ORDERS_SHOWN_MAX


# --- every ship of a galaxy that plays itself ----------------------------------------------


@cache
def played() -> list[State]:
    """States of a galaxy that plays itself, with wrecks, fights and missions of every kind."""
    state, found, battles = new_game(7, THEME), [], 0
    for _ in range(160):
        state = advance(state)
        lost = any(ship.tac.dead_at == state.step for ship in state.objects.values())
        battles += lost
        if state.step % 20 == 0 or (lost and battles <= 6):
            found.append(state)
    return found


def test_the_played_galaxy_has_what_screens_can_fail_at() -> None:
    states = played()
    assert any(not ship.alive for state in states for ship in state.objects.values())
    screens = [Showing(state).screen(name, CAPTAINS) for state in states for name in state.objects]
    kept = [screen for screen in screens if screen is not None]
    assert len(kept) == len(screens)
    assert any(screen["srs"]["beams"] for screen in kept)
    assert any(screen["srs"]["explosions"] for screen in kept)
    assert any(screen["lrs"]["fleets"] for screen in kept)
    assert len({screen["mission"]["kind"] for screen in kept if screen["mission"]}) >= 6


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.lists(st.text()), st.dictionaries(st.text(), st.integers()),
)  # fmt: skip
orders = st.one_of(
    anything,
    st.lists(st.one_of(st.text(), st.sampled_from(["fire P1", "lock all Gath", "speed nan", " "]))),
)


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, 999),
    ship=st.integers(0, 999),
    target=st.one_of(anything, st.sampled_from(["Gath", "vulcan", "Lexington"])),
    radius=st.one_of(anything, st.sampled_from(RADII)),
    mode=st.one_of(anything, st.sampled_from(MODES)),
    left=anything,
    given_orders=orders,
)
def test_no_look_at_any_object_at_any_step_fails(
    place: int, ship: int, target: Any, radius: Any, mode: Any, left: Any, given_orders: Any
) -> None:
    state = played()[place % len(played())]
    name = sorted(state.objects)[ship % len(state.objects)]
    screen = screen_of(state, name, Look(target, radius, mode, left, given_orders))
    assert screen is not None
    assert list(screen) == KEYS
    json.dumps(screen, allow_nan=False)
    assert screen["srs"]["radius"] in RADII
    assert 0 <= screen["left"] <= screen["limit"]


def test_a_screen_is_the_same_after_json() -> None:
    state = played()[-1]
    for name in sorted(state.objects):
        screen = screen_of(state, name, CAPTAINS)
        assert json.loads(json.dumps(screen)) == screen


def test_a_target_of_a_beam_that_is_gone_draws_nothing() -> None:
    shot = Shot(9, "P1", "Ghost", 20, 0)
    assert shown(changed(LEXINGTON, shots=(shot,)))["srs"]["beams"] == []
