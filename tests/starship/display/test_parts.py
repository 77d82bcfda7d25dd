"""The parts of a screen: what status, weapons, navigation, scans and missions say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.display import figures
from apps.starship.display.figures import direction, gauge, level
from apps.starship.display.galaxy import map_of
from apps.starship.display.screen import Look, screen_of
from apps.starship.rules.arithmetic import bearing
from apps.starship.rules.commands import Command, Refusal, admit
from apps.starship.rules.objects import Mission, Shot, Thing
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import CAPTAIN, aimed, changed, galaxy, thing, weapon

LEXINGTON = thing("Lexington", next_mission_at=9_999)
BASE = thing("Aegis", "F", "starbase", at=(1_005_000, 1_000_000))
VULCAN = thing("Vulcan", "F", "planet", at=(1_005_000, 1_000_000))


def shown(ship: Thing, *others: Thing, step: int = 9, target: str = "") -> dict[str, Any]:
    state = galaxy(ship, *others, step=step)
    screen = screen_of(state, ship.name, Look(target, mode="captain", left=3))
    assert screen is not None
    return screen


# --- figures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "percent", "colour"),
    [
        (figures.SHIELDS, 60, "green"), (figures.SHIELDS, 59, "yellow"),
        (figures.SHIELDS, 25, "yellow"), (figures.SHIELDS, 24, "red"),
        (figures.ENERGY, 40, "green"), (figures.ENERGY, 39, "yellow"), (figures.ENERGY, 19, "red"),
        (figures.HULL, 59, "yellow"), (figures.HULL, 29, "red"),
        (figures.CREW, 59, "yellow"), (figures.CREW, 29, "red"),
        (figures.SUPPLIES, 29, "yellow"), (figures.SUPPLIES, 11, "red"),
        (figures.AMMO, 33, "yellow"), (figures.AMMO, 1, "yellow"), (figures.AMMO, 0, "red"),
        (figures.SYSTEMS, 69, "yellow"), (figures.SYSTEMS, 39, "red"),
    ],
)  # fmt: skip
def test_a_gauge_changes_colour_at_its_limits(
    limits: figures.Limits, percent: int, colour: str
) -> None:
    assert level(percent, limits) == colour


def test_the_last_round_but_none_is_yellow_in_the_largest_magazine() -> None:
    assert gauge(1, 67, figures.AMMO)["level"] == "yellow"
    assert gauge(0, 67, figures.AMMO)["level"] == "red"


def test_a_gauge_of_nothing_is_full() -> None:
    assert gauge(0, 0, figures.SUPPLIES) == {
        "value": 0, "max": 0, "percent": 100, "level": "green",
    }  # fmt: skip


@given(st.integers(-4_000_000, 4_000_000), st.integers(-4_000_000, 4_000_000))
def test_a_shown_bearing_is_that_of_the_rules(dx: int, dy: int) -> None:
    apart = (direction(dx, dy) - bearing(dx, dy)) % 3_600
    assert apart in (0, 1, 3_599)  # another tenth only where both are as near


@pytest.mark.parametrize("dx, dy", [(300_000, 400_000), (-100_000, -100_000), (0, -5), (-1, 10**6)])
def test_the_bearings_of_the_worked_examples(dx: int, dy: int) -> None:
    assert direction(dx, dy) == bearing(dx, dy)


# --- shields and status --------------------------------------------------------------------


def test_shields_stand_clockwise_from_the_bow() -> None:
    shields = shown(changed(LEXINGTON, shields=(100, 59, 24, 0, 60, 25), shields_up=True))[
        "shields"
    ]
    assert shields["up"] is True
    assert [row["name"] for row in shields["facings"]] == [
        "bow", "starboard bow", "starboard quarter", "stern", "port quarter", "port bow",
    ]  # fmt: skip
    colours = [row["level"] for row in shields["facings"]]
    assert colours == ["green", "yellow", "red", "red", "green", "yellow"]


def test_an_upgrade_raises_the_maximum_of_a_shield() -> None:
    first = shown(changed(LEXINGTON, upgrades=(2, 0, 0, 0, 0, 0)))["shields"]["facings"][0]
    assert (first["strength"], first["max"], first["percent"]) == (100, 120, 83)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"speed": 60, "want_speed": 60, "shields_up": True}, {"speed": 80, "want_speed": 80},
        {"systems": (100, 40, 100, 100)}, {"supplies": 0}, {"upgrades": (0, 0, 2, 0, 0, 0)},
    ],
    ids=str,
)  # fmt: skip
def test_net_power_is_what_the_next_step_adds(changes: dict[str, Any]) -> None:
    ship = changed(LEXINGTON, energy=500, **changes)
    after = advance(galaxy(ship, step=9)).objects["Lexington"]
    assert shown(ship)["status"]["net"] == after.tac.energy - 500


def test_a_docked_ship_gets_the_power_of_the_starbase() -> None:
    ship = changed(LEXINGTON, energy=500)
    after = advance(galaxy(ship, BASE, step=9)).objects["Lexington"]
    assert shown(ship, BASE)["status"]["net"] == after.tac.energy - 500 == 206


def test_a_deficit_is_yellow() -> None:
    status = shown(changed(LEXINGTON, speed=80))["status"]
    assert (status["net"], status["net_level"]) == (-8, "yellow")


def test_a_race_without_magazine_has_no_gauge_for_it() -> None:
    assert shown(thing("Selath", "R"))["status"]["ammo"] is None
    assert shown(LEXINGTON)["status"]["ammo"]["max"] == 12


def test_repairs_can_go_to_every_system_and_weapon() -> None:
    status = shown(LEXINGTON)["status"]
    assert status["repairs"] == ["none", "ENG", "RCT", "SHG", "SEN", "P1", "P2", "T1", "T2"]


def test_a_berth_is_a_starbase_or_a_planet() -> None:
    assert shown(LEXINGTON, BASE)["status"]["berth"] == {"kind": "docked", "name": "Aegis"}
    assert shown(LEXINGTON, VULCAN)["status"]["berth"] == {"kind": "orbit", "name": "Vulcan"}
    assert shown(LEXINGTON)["status"]["berth"] is None


def test_attackers_stand_nearest_first_and_only_while_they_live() -> None:
    ship = changed(LEXINGTON, attackers={"Gath": 8, "Vorn": 8, "Krag": 8, "Gone": 8})
    status = shown(
        ship,
        thing("Gath", "K", at=(1_200_000, 1_000_000)),
        thing("Vorn", "K", at=(1_100_000, 1_000_000)),
        thing("Krag", "K", dead_at=9, hull=0),
    )["status"]
    assert status["attackers"] == [
        {"name": "Vorn", "distance": 100.0}, {"name": "Gath", "distance": 200.0},
    ]  # fmt: skip


def test_a_truce_counts_down() -> None:
    assert shown(LEXINGTON, step=9)["status"]["truce"] == 15
    assert shown(LEXINGTON, step=24)["status"]["truce"] == 0


def test_an_upgrade_says_what_it_costs_and_whether_it_can_be_paid() -> None:
    ship = changed(LEXINGTON, upgrades=(2, 5, 0, 0, 0, 0), points=149)
    status = shown(ship, BASE)["status"]
    assert status["can_upgrade"] is True
    shield, hull, reactor = status["upgrades"][:3]
    assert shield == {"track": "shield", "level": 2, "max": 5, "cost": 150, "affordable": False}
    assert (hull["cost"], hull["affordable"]) == (None, False)
    assert reactor["affordable"] is True


def test_upgrades_need_a_dock() -> None:
    assert shown(LEXINGTON)["status"]["can_upgrade"] is False


# --- weapons and distress ------------------------------------------------------------------


def weapon_row(ship: Thing, name: str, *others: Thing) -> dict[str, Any]:
    rows: list[dict[str, Any]] = shown(ship, *others)["weapons"]
    return next(row for row in rows if row["id"] == name)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ready"),
        ({"ready_at": 11}, "recycling"),
        ({"ready_at": 10}, "ready"),
        ({"health": 39}, "damaged"),
        ({"health": 40}, "ready"),
    ],
    ids=str,
)
def test_a_weapon_is(changes: dict[str, int], state: str) -> None:
    others = [weapon(LEXINGTON, name) for name in ("P2", "T1", "T2")]
    ship = changed(LEXINGTON, weapons=(weapon(LEXINGTON, "P1")._replace(**changes), *others))
    assert weapon_row(ship, "P1")["state"] == state


def test_a_weapon_lacks_energy_or_ammunition() -> None:
    assert weapon_row(changed(LEXINGTON, energy=19), "P1")["state"] == "no energy"
    assert weapon_row(changed(LEXINGTON, ammo=0), "T1")["state"] == "no ammo"


@pytest.mark.parametrize(
    ("at", "name", "why"),
    [
        ((1_000_000, 1_100_000), "P1", ""),
        ((1_000_000, 1_100_000), "P2", "out of arc"),
        ((1_000_000, 1_151_000), "P1", "out of range"),
        ((1_000_000, 1_151_000), "T1", ""),
    ],
)
def test_a_weapon_bears_or_says_why_not(at: tuple[int, int], name: str, why: str) -> None:
    row = weapon_row(aimed(LEXINGTON, "Gath"), name, thing("Gath", "K", at=at))
    assert (row["why"], row["bears"]) == (why, not why)


def test_a_weapon_without_a_living_target_has_no_lock() -> None:
    gone = weapon_row(aimed(LEXINGTON, "Gath"), "P1", thing("Gath", "K", dead_at=9, hull=0))
    assert (gone["lock"], gone["why"], gone["can_fire"]) == (None, "no lock", False)


def test_what_is_offered_to_fire_is_admitted_and_the_rest_refused_with_the_sentence() -> None:
    ship = aimed(LEXINGTON, "Gath", P2=12)
    gath = thing("Gath", "K", at=(1_000_000, 1_050_000))
    view = galaxy(ship, gath, step=9).view()
    for row in shown(ship, gath)["weapons"]:
        result = admit(view, "Lexington", CAPTAIN, "fire", [row["id"]], ())
        assert row["can_fire"] is isinstance(result, Command)
        assert row["refusal"] == (result.text if isinstance(result, Refusal) else "")
    assert weapon_row(ship, "P2", gath)["refusal"] == "P2 is recycling; ready in step 12."
    assert weapon_row(ship, "P2", gath)["ready_in"] == 2


@pytest.mark.parametrize(
    ("changes", "enabled", "steps", "why"),
    [
        ({}, False, 0, "You are not under attack."),
        ({"last_hit": 9}, True, 0, ""),
        ({"last_hit": 9, "distress_at": 5}, False, 5, "Distress call already sent."),
        ({"last_hit": 9, "distress_at": 0}, True, 0, ""),
    ],
    ids=str,
)
def test_a_distress_call_may_be_sent(
    changes: dict[str, int], enabled: bool, steps: int, why: str
) -> None:
    distress = shown(changed(LEXINGTON, **changes))["distress"]
    assert distress == {"enabled": enabled, "steps": steps, "why": why}


# --- navigation and target -----------------------------------------------------------------


def test_navigation_says_what_is_and_what_is_wanted() -> None:
    ship = changed(
        LEXINGTON, heading=451, speed=60, want_heading=900, want_speed=70, point=(1_500, 2_000_000)
    )
    assert shown(ship)["nav"] == {
        "course": 45.1, "speed": 6.0, "want_course": 90.0, "want_speed": 7.0, "dest": None,
        "point": {"x": 1.5, "y": 2000.0}, "turn_limit": 40.9, "stopping": 72.8, "top_speed": 8.0,
    }  # fmt: skip


def test_power_to_the_engines_widens_the_turn() -> None:
    assert shown(changed(LEXINGTON, speed=60, power="engines"))["nav"]["turn_limit"] == 44.9


def test_what_cannot_move_has_no_turn() -> None:
    nav = shown(BASE)["nav"]
    assert (nav["turn_limit"], nav["stopping"], nav["top_speed"]) == (0.0, 0.0, 0.0)


def test_a_target_says_when_it_is_reached_and_what_bears() -> None:
    gath = thing("Gath", "K", at=(1_000_000, 1_100_000), truce_until=20)
    target = shown(changed(LEXINGTON, speed=60), gath, target="gath")["target"]
    assert (target["name"], target["eta"], target["truce"]) == ("Gath", 3, 11)
    assert (target["bears"], target["lock_refusal"]) == (["P1", "T1", "T2"], "")


def test_a_ship_at_rest_never_arrives() -> None:
    target = shown(LEXINGTON, thing("Gath", "K", at=(1_000_000, 1_100_000)), target="Gath")[
        "target"
    ]
    assert target["eta"] is None


@pytest.mark.parametrize(
    ("race", "x", "why"),
    [
        ("F", 1_100_000, "Other is not a valid target."),
        ("K", 1_600_001, "Other is beyond sensor range."),
        ("K", 1_600_000, ""),
    ],
)
def test_a_target_says_why_it_cannot_be_locked(race: str, x: int, why: str) -> None:
    other = thing("Other", race, at=(x, 1_000_000))
    assert shown(LEXINGTON, other, target="Other")["target"]["lock_refusal"] == why


def test_a_ship_is_not_its_own_target() -> None:
    assert shown(LEXINGTON, target="Lexington")["target"] is None


# --- scans ---------------------------------------------------------------------------------


def test_the_beams_of_the_last_step_are_drawn_and_no_older_ones() -> None:
    shots = (Shot(8, "P2", "Gath", 5, 0), Shot(9, "T1", "Gath", 0, 0), Shot(9, "P1", "Gath", 9, 0))
    gath = thing("Gath", "K", at=(1_000_000, 1_100_000))
    beams = shown(changed(LEXINGTON, shots=shots), gath)["srs"]["beams"]
    assert beams == [
        {"x1": 1000.0, "y1": 1000.0, "x2": 1000.0, "y2": 1100.0, "weapon": name, "type": kind,
         "shooter": "Lexington", "target": "Gath", "hit": hit}
        for name, kind, hit in (("P1", "phaser", True), ("T1", "torpedo", False))
    ]  # fmt: skip


def test_what_happens_far_away_is_not_in_the_short_range_scan() -> None:
    argosy = thing("Argosy", at=(3_000_000, 1_000_000), shots=(Shot(9, "P1", "Gath", 9, 0),))
    gath = thing("Gath", "K", at=(3_000_000, 1_100_000), dead_at=9, hull=0)
    srs = shown(LEXINGTON, argosy, gath)["srs"]
    assert (srs["beams"], srs["explosions"]) == ([], [])


def test_a_wreck_is_an_explosion_with_its_age() -> None:
    gath = thing("Gath", "K", at=(1_000_000, 1_100_000), dead_at=7, hull=0)
    srs = shown(LEXINGTON, gath)["srs"]
    assert srs["explosions"] == [{"x": 1000.0, "y": 1100.0, "name": "Gath", "age": 2}]


def test_borders_are_the_edges_of_quadrants_within_the_field() -> None:
    srs = shown(changed(LEXINGTON, x=1_250_000, y=400_000))["srs"]
    assert srs["borders"] == [
        {"x1": 1000.0, "y1": 100.0, "x2": 1000.0, "y2": 700.0, "outer": False},
        {"x1": 1500.0, "y1": 100.0, "x2": 1500.0, "y2": 700.0, "outer": False},
        {"x1": 950.0, "y1": 500.0, "x2": 1550.0, "y2": 500.0, "outer": False},
    ]
    assert [row["name"] for row in srs["quadrants"]] == ["B7", "C7", "D7", "B8", "C8", "D8"]
    assert srs["quadrants"][1] == {"name": "C7", "owner": "R", "x": 1250.0, "y": 750.0}


def test_the_edge_of_the_galaxy_is_an_outer_border() -> None:
    srs = shown(changed(LEXINGTON, x=3_999_999, y=250_000))["srs"]
    assert {"x1": 4000.0, "y1": 0.0, "x2": 4000.0, "y2": 550.0, "outer": True} in srs["borders"]
    assert {"x1": 3700.0, "y1": 0.0, "x2": 4000.0, "y2": 0.0, "outer": True} in srs["borders"]


def test_territories_are_the_quadrants_that_a_race_owns() -> None:
    lrs = shown(LEXINGTON)["lrs"]
    assert (lrs["across"], lrs["side"], lrs["quadrant"]) == (8, 4000, 500)
    assert len(lrs["territories"]) == 48
    assert lrs["territories"][0] == {"quadrant": "A1", "owner": "F", "x": 250.0, "y": 3750.0}


def test_three_ships_within_150_units_of_each_other_are_a_fleet() -> None:
    ships = [
        thing(name, at=(x, 2_000_000)) for name, x in (("Aa", 0), ("Bb", 75_000), ("Cc", 150_000))
    ]
    lrs = shown(LEXINGTON, *ships, thing("Gath", "K", at=(10_000, 2_000_000)))["lrs"]
    assert lrs["fleets"] == [
        {
            "name": "Aa",
            "race": "F",
            "x": 75.0,
            "y": 2000.0,
            "radius": 75.0,
            "ships": ["Aa", "Bb", "Cc"],
        }
    ]


def test_the_map_and_the_scans_give_a_place_the_same_numbers() -> None:
    ship = changed(LEXINGTON, x=72_850, y=2_000_050)
    own, on_the_map = shown(ship)["ship"], map_of(galaxy(ship))["things"][0]
    for axis, number in (("x", 72.9), ("y", 2000.1)):
        assert own[axis] == on_the_map[axis] == number


def test_the_map_and_the_long_range_scan_show_the_same_fleets() -> None:
    row = (("Aa", 0), ("Bb", 75_000), ("Cc", 151_000), ("Dd", 302_000))
    ships = [thing(name, at=(x, 2_000_000)) for name, x in row]
    fleets = shown(LEXINGTON, *ships)["lrs"]["fleets"]
    # Each near another one of them, and not all near all.
    assert [fleet["ships"] for fleet in fleets] == [["Aa", "Bb", "Cc"]]
    assert fleets == map_of(galaxy(LEXINGTON, *ships))["fleets"]


# --- missions ------------------------------------------------------------------------------


def on_mission(mission: Mission, *others: Thing, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = shown(changed(LEXINGTON, mission=mission, **changes), *others)[
        "mission"
    ]
    return found


def test_supplies_lead_to_the_starbase_first_and_then_to_the_planet() -> None:
    base = thing("Aegis", "F", "starbase", at=(1_300_000, 1_400_000))
    planet = thing("Vulcan", "F", "planet", at=(1_000_000, 900_000))
    mission = Mission("deliver", 5, 155, 24, "Vulcan")
    row = on_mission(mission, base, planet)
    assert (row["target"], row["distance"], row["bearing"]) == ("Aegis", 500.0, 36.9)
    assert row["task"] == "deliver 50 supplies to Vulcan"
    assert (row["steps_left"], row["reward"], row["stage"], row["stages"]) == (146, 24, 0, 2)
    assert row["final"] == "Vulcan"
    row = on_mission(mission._replace(stage=1), base, planet)
    assert (row["target"], row["distance"], row["bearing"]) == ("Vulcan", 100.0, 180.0)


def test_a_patrol_leads_to_places() -> None:
    places = ((1_000_000, 1_200_000), (500_000, 500_000), (0, 0))
    row = on_mission(Mission("patrol", 5, 405, 30, None, 0, 0, places))
    assert (row["target"], row["x"], row["y"], row["distance"]) == (None, 1000.0, 1200.0, 200.0)
    assert row["stages"] == 3


def test_a_watch_says_how_many_steps_it_needs() -> None:
    row = on_mission(Mission("defend", 5, 305, 40, "Aegis", progress=12), BASE)
    assert (row["progress"], row["needed"]) == (12, 80)


def test_a_mission_whose_object_is_gone_leads_nowhere() -> None:
    row = on_mission(Mission("attack", 5, 305, 60, "Gath"))
    assert (row["target"], row["distance"]) == (None, 0.0)


def test_the_next_mission_is_counted_down() -> None:
    screen = shown(changed(LEXINGTON, next_mission_at=14))
    assert (screen["mission"], screen["next_mission_in"]) == (None, 5)
    assert shown(BASE)["next_mission_in"] is None
