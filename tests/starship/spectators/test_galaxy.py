"""What spectators are told of a galaxy: the map, the leaderboard, and frames."""

from __future__ import annotations

import json

import pytest

from apps.starship.display.fleets import fleets_of
from apps.starship.display.galaxy import (
    Frames,
    captain_kind,
    fallen,
    keep_lost,
    map_of,
    owners_of,
    table_of,
)
from apps.starship.rules.geography import Geography
from apps.starship.rules.objects import Shot
from apps.starship.rules.state import Settings
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import changed, galaxy, thing
from tests.starship.spectators.show import STEPS, Show, played


def at(x: int, y: int) -> tuple[int, int]:
    """A place in units."""
    return x * 1_000, y * 1_000


# --- the map -------------------------------------------------------------------------------


def test_the_map_has_every_living_object_once() -> None:
    show = played()
    living = {name for name, found in show.state.objects.items() if found.alive}
    names = [row["name"] for row in map_of(show.state)["things"]]
    assert sorted(living) == names


def test_the_map_is_json_in_units_and_degrees() -> None:
    ship = thing("Gath", "K", at=(1_234_567, 90), heading=451, speed=60)
    shown = json.loads(json.dumps(map_of(galaxy(ship))))
    row = shown["things"][0]
    assert (row["x"], row["y"], row["heading"], row["speed"]) == (1234.6, 0.1, 45.1, 6.0)
    assert (row["full_name"], row["quadrant"]) == ("Kolvar Starship Gath", "C8")
    assert (shown["side"], shown["quadrant"], shown["across"]) == (4000, 500, 8)


def test_the_map_tells_who_commands() -> None:
    ship = thing("Gath", "K")
    assert captain_kind(ship) == "human"
    assert captain_kind(changed(ship, captain=None)) == "computer"
    assert captain_kind(changed(ship, captain=None, human=True)) == "caretaker"


def test_a_wreck_is_no_object_of_the_map_any_longer() -> None:
    shown = map_of(galaxy(thing("Gath", "K", dead_at=3), thing("Vorn", "K"), step=3))
    assert [row["name"] for row in shown["things"]] == ["Vorn"]
    assert [row["name"] for row in shown["wrecks"]] == ["Gath"]
    assert shown["ships"]["K"] == 1


def test_three_ships_of_a_race_are_a_fleet() -> None:
    ships = [
        thing(name, "K", at=at(1000 + 140 * n, 1000)) for n, name in enumerate(("Gath", "Drox"))
    ]
    assert fleets_of(galaxy(*ships).view()) == []
    # The third is near the second only: a fleet is a chain.
    third = thing("Krag", "K", at=at(1280, 1000))
    (fleet,) = fleets_of(galaxy(*ships, third).view())
    assert fleet["ships"] == ["Drox", "Gath", "Krag"]
    assert (fleet["name"], fleet["x"], fleet["radius"]) == ("Drox", 1140.0, 140.0)


@pytest.mark.parametrize("gap", [150, 151])
def test_a_fleet_ends_at_150_units(gap: int) -> None:
    ships = [thing(name, "K", at=at(1000 + gap * n, 1000)) for n, name in enumerate("abc")]
    assert len(fleets_of(galaxy(*ships).view())) == (gap == 150)


def test_ships_of_others_and_wrecks_are_in_no_fleet() -> None:
    ships = [thing("a", "K"), thing("b", "K"), thing("c", "R"), thing("d", "K", dead_at=1)]
    assert fleets_of(galaxy(*ships, step=1).view()) == []


def test_the_map_has_the_shots_of_the_last_step_only() -> None:
    shots = (
        Shot(4, "P1", "Vorn", 9, 0),
        Shot(5, "P1", "Vorn", 0, 0),
        Shot(5, "P2", "Nobody", 1, 0),
    )
    one, other = thing("Gath", "K", at=at(10, 20), shots=shots), thing("Vorn", "R", at=at(30, 40))
    shown = map_of(galaxy(one, other, step=5))
    assert shown["beams"] == [{"x1": 10.0, "y1": 20.0, "x2": 30.0, "y2": 40.0, "hit": False}]


@pytest.mark.parametrize("across", [8, 16, 24])
def test_territories_are_the_quadrants_that_belong_to_a_race(across: int) -> None:
    geography = Geography(across)
    owners = owners_of(across)
    assert len(owners) == across * across
    for row in range(across):
        for column in range(across):
            place = geography.centre(column, row)
            assert owners[geography.name(column, row)] == geography.owner(*place)


# --- the leaderboard -----------------------------------------------------------------------


def test_the_leaderboard_has_living_and_lost_ships_by_score() -> None:
    ships = (thing("Gath", "K", score=5, dead_at=3, killer="Vorn"), thing("Vorn", "R", score=4))
    before = galaxy(changed(ships[0], dead_at=None), ships[1], step=2)
    after = galaxy(*ships, step=3)
    lost = fallen(before, after)
    table = table_of(galaxy(ships[1], step=9), lost)
    assert [(row["name"], row["lost"], row["lived"]) for row in table] == [
        ("Gath", True, 3),
        ("Vorn", False, 9),
    ]
    assert (table[0]["killer"], table[0]["step"], table[1]["killer"]) == ("Vorn", 3, None)


def test_a_ship_falls_once() -> None:
    wreck = galaxy(thing("Gath", "K", dead_at=3), step=4)
    assert fallen(galaxy(thing("Gath", "K", dead_at=3), step=3), wreck) == []


def test_starbases_and_planets_are_on_no_leaderboard() -> None:
    base = thing("Aegis", kind="starbase", dead_at=1)
    assert table_of(galaxy(thing("Vulcan", kind="planet"))) == []
    assert fallen(galaxy(changed(base, dead_at=None)), galaxy(base, step=1)) == []


def test_of_lost_ships_the_best_are_kept() -> None:
    rows = [
        {"score": score, "kills": 0, "name": "x", "step": step}
        for step, score in enumerate((1, 9, 5))
    ]
    assert [row["score"] for row in keep_lost(rows, most=2)] == [9, 5]


def test_every_ship_of_a_game_is_on_the_leaderboard_once() -> None:
    show = played()
    table = show.table()
    assert {row["name"] for row in table if not row["lost"]} == {
        name
        for name, found in show.state.objects.items()
        if found.alive and found.kind == "starship"
    }
    lost = [(row["name"], row["step"]) for row in table if row["lost"]]
    assert lost
    assert len(lost) == len(set(lost))


# --- frames --------------------------------------------------------------------------------


def test_a_frame_has_what_the_state_had() -> None:
    show = played()
    found = show.frames_of()
    (frame,) = found["frames"]
    assert frame["t"] == show.state.step
    row = frame["i"].index(show.state.objects["Bounty"].meta.id)
    nav = show.state.objects["Bounty"].nav
    assert (frame["x"][row], frame["y"][row]) == (nav.x // 100, nav.y // 100)
    assert found["who"][str(frame["i"][row])] == ["Bounty", "F", "starship", "human"]
    assert {len(frame[key]) for key in "ixyhsa"} == {len(frame["i"])}


def test_frames_are_asked_for_by_step() -> None:
    show = played()
    assert [frame["t"] for frame in show.frames_of(5, 8)["frames"]] == [5, 6, 7, 8]
    assert [frame["t"] for frame in show.frames_of(-4, 2)["frames"]] == [0, 1, 2]
    assert [frame["t"] for frame in show.frames_of(-1, 3)["frames"]] == [3]
    assert [frame["t"] for frame in show.frames_of(9, 4)["frames"]] == [4]
    assert show.frames_of(0, 10**9)["frames"][-1]["t"] == STEPS


def test_only_who_is_in_the_frames_is_named() -> None:
    show = played()
    found = show.frames_of(1, 1)
    assert set(map(int, found["who"])) >= set(found["frames"][0]["i"])
    assert len(found["who"]) < len(show.frames_of(0, STEPS)["who"])


def test_no_frames_are_an_empty_replay() -> None:
    found = json.loads(Frames().text())
    assert (found["kept"], found["frames"], found["who"]) == ([0, -1], [], {})


def test_old_frames_and_who_was_only_in_them_are_forgotten() -> None:
    frames = Frames(most=3)
    for step, name in enumerate(("Gath", "Vorn", "Krag", "Drox", "Torvak")):
        frames.add(galaxy(changed(thing(name, "K")), step=step))
    found = json.loads(frames.text(0, 9))
    assert found["kept"] == [2, 4]
    assert {row[0] for row in found["who"].values()} == {"Torvak"}
    assert [frame["t"] for frame in found["frames"]] == [2, 3, 4]


def test_frames_have_a_bound_in_bytes() -> None:
    frames = Frames(bytes_max=1_000)
    for step in range(50):
        frames.add(galaxy(thing("Gath", "K"), step=step))
        assert frames.size <= 1_000
    assert frames.kept[1] == 49


def test_a_step_out_of_order_begins_anew() -> None:
    frames = Frames()
    for step in (4, 5, 9):
        frames.add(galaxy(thing("Gath", "K"), step=step))
    assert frames.kept == (9, 9)


def test_what_calls_for_help_has_a_capital_and_what_fell_is_marked() -> None:
    caller = thing("Gath", "K", distress_at=3, alert="red")
    wreck = thing("Vorn", "K", at=at(7, 8), dead_at=4)
    frames = Frames()
    frames.add(galaxy(caller, wreck, thing("Vulcan", kind="planet"), step=4))
    (frame,) = json.loads(frames.text())["frames"]
    assert (frame["a"], frame["i"], frame["e"]) == ("R-", [1, 3], [[70, 80, 2]])


def test_an_hour_of_the_normal_galaxy_is_under_three_megabytes() -> None:
    show = Show(steps=120)
    per_frame = show.frames.size / 121
    assert per_frame * 720 < 3_000_000


def test_a_large_galaxy_has_a_map_and_frames() -> None:
    from apps.starship.rules.creating import new_game
    from tests.starship.rules.galaxy import THEME

    settings = Settings(ships=50, bases=12, planets=12, starships_max=300, across=16)
    state = advance(new_game(1, THEME, settings))
    shown = map_of(state)
    assert (shown["side"], len(shown["territories"])) == (8000, 4 * 48)
    frames = Frames()
    frames.add(state)
    assert json.loads(frames.text())["side"] == 8000
