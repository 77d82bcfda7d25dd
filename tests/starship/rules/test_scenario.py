"""Galaxies that somebody describes, ships from other games, and captains who leave."""

from __future__ import annotations

import json

import pytest

from apps.starship.errors import ScenarioError
from apps.starship.rules.creating import new_game, record_of
from apps.starship.rules.replay import Played, read_step, write_step
from apps.starship.rules.scenario import NOBODY, read_scenario
from apps.starship.rules.state import maxima
from apps.starship.rules.step import Enlistment, Structure, advance
from apps.starship.rules.tables import design_of
from tests.starship.rules.galaxy import THEME

SHIP = {"name": "Bounty", "race": "F", "kind": "starship", "x": 1_000_000, "y": 2_000_000}
RECORD = (120, 300, 4, 5, 2, 1, 0, 3, 0, 1)


def test_what_is_not_said_is_as_in_a_new_object() -> None:
    state = read_scenario(json.dumps({"step": 9, "objects": [{**SHIP, "tac": {"hull": 5}}]}), THEME)
    ship = state.objects["Bounty"]
    assert (state.step, ship.nav.x, ship.tac.hull) == (9, 1_000_000, 5)
    assert ship.tac.energy == design_of("F", "starship").energy
    assert ship.meta.captain is None


def test_without_the_computer_nobody_orders_anything() -> None:
    state = read_scenario(json.dumps({"ai": False, "objects": [SHIP]}), THEME)
    assert state.objects["Bounty"].meta.captain == NOBODY
    for _ in range(20):
        state = advance(state)
    assert state.objects["Bounty"].nav.want_speed == 0


@pytest.mark.parametrize("text", ["x", "[]", '{"step":-1}', '{"objects":[{"name":"a"}]}'])
def test_what_describes_no_galaxy_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        read_scenario(text, THEME)


def test_a_ship_from_another_game_is_whole_and_has_what_it_earned() -> None:
    made = Enlistment("Bounty", "F", 7, RECORD)
    state = advance(new_game(1, THEME), structure=Structure((made,)))
    ship = state.objects["Bounty"]
    assert record_of(ship) == RECORD
    hull, shield, _top, ammo = maxima(ship)
    design = design_of("F", "starship")
    assert (
        (ship.tac.hull, ship.tac.ammo) == (hull, ammo) == (design.hull + 20, design.ammo * 5 // 4)
    )
    assert ship.tac.shields == (shield,) * 6 == (design.shield + 20,) * 6
    # Beside an own starbase.
    gaps = [
        abs(base.nav.x - ship.nav.x) + abs(base.nav.y - ship.nav.y)
        for base in state.objects.values()
        if base.race == "F" and base.kind == "starbase"
    ]
    assert min(gaps) == 5_000


@pytest.mark.parametrize("record", [(), RECORD])
def test_a_recording_has_what_a_ship_brought_along(record: tuple[int, ...]) -> None:
    structure = Structure((Enlistment("Bounty", "F", 7, record),))
    played = Played({}, (), structure, "h")
    assert read_step(write_step(played), 1) == played


@pytest.mark.parametrize(
    "record", [[1], [1] * 11, [-1] * 10, ["x"] * 10, [1, 1, 1, 1, 6, 0, 0, 0, 0, 0], [True] * 10]
)
def test_what_is_no_record_is_refused(record: list[object]) -> None:
    line = json.loads(write_step(Played({}, (), Structure(), "h")))
    line["enlisted"] = [["Bounty", "F", 7, record]]
    with pytest.raises(ScenarioError, match=r"is no record of a ship"):
        read_step(json.dumps(line), 1)


def test_the_log_says_that_the_captain_left() -> None:
    state = advance(new_game(1, THEME), structure=Structure((Enlistment("Bounty", "F", 7),)))
    state = advance(state, structure=Structure((), (("Bounty", None),)))
    last = state.objects["Bounty"].com.log[-1]
    assert (last.step, last.key) == (state.step, "captain_left")
    again = advance(state, structure=Structure((), (("Bounty", None),)))
    keys = [record.key for record in again.objects["Bounty"].com.log]
    assert keys.count("captain_left") == 1
