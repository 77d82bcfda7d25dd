"""Hints of a first mission, and that who follows them to the letter gets through it."""

from __future__ import annotations

import re
from typing import Any

from apps.starship.display.screen import Look, screen_of
from apps.starship.rules.commands import Command, read_command
from apps.starship.rules.creating import add_ship, new_game
from apps.starship.rules.objects import Mission, Thing
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import CAPTAIN, THEME, changed, galaxy, thing

BOUNTY = thing("Bounty", human=True)
DELIVER = Mission("deliver", 5, 155, 24, "Vulcan")
BASE = thing("Aegis", "F", "starbase", at=(1_300_000, 1_000_000))
VULCAN = thing("Vulcan", "F", "planet", at=(1_000_000, 1_300_000))


def hints(ship: Thing, mode: str = "captain", step: int = 9) -> list[str]:
    screen = screen_of(galaxy(ship, BASE, VULCAN, step=step), "Bounty", Look(mode=mode, left=3))
    assert screen is not None
    found: list[str] = screen["hints"]
    return found


def loading(**changes: Any) -> list[str]:
    return hints(changed(BOUNTY, mission=DELIVER, **changes))


def bringing(**changes: Any) -> list[str]:
    return hints(changed(BOUNTY, mission=DELIVER._replace(stage=1), cargo=50, **changes))


def test_a_new_captain_is_told_when_the_mission_comes() -> None:
    assert hints(BOUNTY, step=1)[0] == "Welcome aboard Bounty. A mission comes in 4 steps."


def test_the_first_thing_is_the_destination() -> None:
    task, order = loading()
    assert task == "Load 50 supplies at Federation Starbase Aegis, 300 units away: dock there."
    assert order.endswith("(dest Aegis).")


def test_then_comes_the_speed() -> None:
    assert loading(dest="Aegis")[1].endswith("(speed 6.0).")


def test_on_the_way_the_steps_are_told() -> None:
    text = loading(dest="Aegis", want_speed=60, speed=60)[1]
    assert text == "On the way, 9 steps or a few more; the autopilot stops by itself."


def test_raised_shields_are_to_come_down_before_the_dock() -> None:
    text = loading(dest="Aegis", want_speed=60, speed=60, shields_up=True)[1]
    assert text.endswith("(shields down).")
    there = loading(dest="Aegis", x=1_295_000, shields_up=True)[1]
    assert there == "You are there: lower the shields (shields down)."


def test_a_ship_without_destination_is_told_to_stop() -> None:
    there = loading(x=1_295_000, speed=60, want_speed=60)[1]
    assert there == "You are there: stop the ship (speed 0)."


def test_docked_the_supplies_come_aboard() -> None:
    text = loading(x=1_295_000)
    assert text == [
        "Docked at Federation Starbase Aegis: the supplies come aboard with the next step."
    ]


def test_the_supplies_go_to_the_planet() -> None:
    task, order = bringing()
    assert task.startswith("Bring the supplies to Federation Planet Vulcan, 300 units away")
    assert order.endswith("(dest Vulcan).")


def test_in_orbit_the_supplies_go_down() -> None:
    assert bringing(y=1_295_000)[0].startswith("In orbit of Federation Planet Vulcan")


def test_under_attack_the_shields_come_first() -> None:
    assert (
        loading(last_hit=9)[0]
        == "You are under attack: raise the shields (shields up) and get away."
    )
    assert loading(last_hit=9, shields_up=True)[0].endswith("call for help (distress).")


def test_after_the_first_mission_there_is_a_farewell_until_the_next_one() -> None:
    assert hints(changed(BOUNTY, missions_done=1))[0].startswith("Well done")
    assert hints(changed(BOUNTY, missions_done=1, mission=DELIVER)) == []
    assert hints(changed(BOUNTY, missions_done=2)) == []


def test_other_missions_computers_and_onlookers_get_no_hints() -> None:
    assert hints(changed(BOUNTY, mission=DELIVER._replace(kind="rendezvous"))) == []
    assert hints(changed(BOUNTY, mission=DELIVER, human=False)) == []
    assert hints(changed(BOUNTY, mission=DELIVER), mode="scan") == []


def test_without_a_starbase_there_is_nothing_but_to_wait() -> None:
    state = galaxy(changed(BOUNTY, mission=DELIVER), VULCAN, step=9)
    screen = screen_of(state, "Bounty", Look(mode="captain", left=3))
    assert screen is not None and screen["hints"][0].startswith("There is no starbase")


def test_who_gives_the_orders_of_the_hints_completes_the_first_mission() -> None:
    state = add_ship(new_game(42, THEME), "F", "Bounty", CAPTAIN, human=True)
    for _ in range(300):
        screen = screen_of(state, "Bounty", Look(mode="captain", left=3))
        assert screen is not None and screen["lost"] is None
        if screen["status"]["missions"]:
            break
        assert screen["hints"], f"no hint in step {state.step}"
        orders = []
        for words in re.findall(r"\(([^)]*)\)", " ".join(screen["hints"]))[:3]:
            name, *rest = words.split()
            order = read_command(state.view(), state.objects["Bounty"], name, rest)
            assert isinstance(order, Command), words
            orders.append(order)
        state = advance(state, {"Bounty": tuple(orders)})
    assert state.objects["Bounty"].com.missions_done == 1
