"""Orders: the grammar, and who is refused what (design, section 5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules.commands import COMMANDS, Command, Refusal, admit
from apps.starship.rules.objects import Thing
from tests.starship.rules.galaxy import CAPTAIN, aimed, changed, galaxy, thing

FOE = thing("Gath", "K", at=(1_000_000, 1_100_000))
BASE = thing("Aegis", kind="starbase", at=(1_005_000, 1_000_000))
SOLACE = thing("Solace", "N", "planet", at=(1_200_000, 1_000_000))
FRIEND = thing("Yorktown", at=(900_000, 1_000_000))


def ask(
    ship: Thing, name: object, *words: Any, admitted: tuple[Command, ...] = (), step: int = 9
) -> Command | Refusal:
    view = galaxy(ship, FOE, BASE, SOLACE, FRIEND, step=step).view()
    return admit(view, ship.name, CAPTAIN, name, words, admitted)


def code(found: Command | Refusal) -> str:
    return found.code if isinstance(found, Refusal) else "admitted"


LEXINGTON = thing("Lexington")


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("course", ("45.5",), Command("course", (455,))),
        ("course", (0,), Command("course", (0,))),
        ("dest", ("aegis",), Command("dest", ("Aegis",))),
        ("course_to", ("1.5", 3999), Command("course_to", (1_500, 3_999_000))),
        ("speed", ("8.0",), Command("speed", (80,))),
        ("speed", (6.5,), Command("speed", (65,))),
        ("shields", ("up",), Command("shields", ("up",))),
        ("lock", ("all", "GATH"), Command("lock", ("all", "Gath"))),
        ("lock", ("t1", "Gath"), Command("lock", ("T1", "Gath"))),
        ("power", ("engines",), Command("power", ("engines",))),
        ("repair", ("eng",), Command("repair", ("ENG",))),
        ("repair", ("p2",), Command("repair", ("P2",))),
        ("repair", ("none",), Command("repair", ("none",))),
    ],
)
def test_orders_in_their_checked_form(name: str, words: tuple[Any, ...], expected: Command) -> None:
    found = ask(LEXINGTON, name, *words)
    assert found == expected
    assert tuple(map(type, expected.args)) == COMMANDS[name].types


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("course", ("360",)), ("course", ("-1",)), ("course", ("45.55",)), ("course", ()),
        ("course", ("1e2",)), ("course", (True,)), ("course", ("nan",)), ("course", ("٣",)),
        ("dest", ("Nowhere",)), ("dest", ("Lexington",)), ("dest", ([],)),
        ("course_to", ("1",)), ("course_to", ("4000", "0")), ("course_to", ("1", "-1")),
        ("speed", ("8.1",)), ("speed", ("",)), ("speed", (None,)), ("speed", (float("inf"),)),
        ("shields", ("sideways",)), ("lock", ("X9", "Gath")), ("lock", ("all",)),
        ("lock", ("all", "Nobody")), ("fire", ("X9",)), ("fire", ()),
        ("power", ("warp",)), ("repair", ("XYZ",)), ("distress", ("now",)),
        ("respond", ("Gath",)), ("respond", ("Yorktown",)), ("respond", ("Lexington",)),
        ("mission", ("accept",)), ("mission", ("abandon",)), ("upgrade", ("cloak",)),
        ("explode", ()), (None, ()), ([], ()),
    ],
)  # fmt: skip
def test_orders_that_are_none(name: object, words: tuple[Any, ...]) -> None:
    found = ask(LEXINGTON, name, *words)
    assert isinstance(found, Refusal)
    assert found.code == "E_ARG"
    assert found.text.endswith(".")


def test_a_fourth_order_is_refused() -> None:
    three = (Command("speed", (10,)), Command("speed", (20,)), Command("speed", (30,)))
    assert code(ask(LEXINGTON, "speed", "4.0", admitted=three)) == "E_LIMIT"
    assert code(ask(LEXINGTON, "speed", "4.0", admitted=three[:2])) == "admitted"


def test_mistakes_in_arguments_are_told_before_the_limit() -> None:
    three = (Command("speed", (10,)), Command("speed", (20,)), Command("speed", (30,)))
    assert code(ask(LEXINGTON, "speed", "99", admitted=three)) == "E_ARG"


def test_the_limit_is_told_before_the_checks_of_an_order() -> None:
    three = (Command("speed", (10,)), Command("speed", (20,)), Command("speed", (30,)))
    assert code(ask(LEXINGTON, "lock", "all", "Yorktown", admitted=three)) == "E_LIMIT"


def test_only_the_captain_commands() -> None:
    view = galaxy(LEXINGTON).view()
    for captain in (CAPTAIN + 1, None):
        found = admit(view, "Lexington", captain, "speed", ["1"], ())
        assert found == Refusal("E_CAPTAIN", "You are not in command of Lexington.")


def test_nobody_commands_a_ship_that_the_computer_has() -> None:
    view = galaxy(thing("Lexington", captain=None)).view()
    assert code(admit(view, "Lexington", None, "speed", ["1"], ())) == "E_CAPTAIN"


def test_a_wreck_takes_no_orders() -> None:
    wreck = changed(LEXINGTON, dead_at=9, hull=0)
    assert code(ask(wreck, "speed", "1")) == "E_ARG"


def test_a_weapon_fires_once_a_step() -> None:
    ship = aimed(LEXINGTON, "Gath")
    fired = (Command("fire", ("P1",)),)
    assert code(ask(ship, "fire", "P1", admitted=fired)) == "E_DUPFIRE"
    assert code(ask(ship, "fire", "P2", admitted=fired)) == "admitted"


def test_a_weapon_without_lock_does_not_fire() -> None:
    assert code(ask(LEXINGTON, "fire", "P1")) == "E_NOLOCK"


@pytest.mark.parametrize("which", ["P1", "all"])
def test_a_lock_of_the_same_step_counts(which: str) -> None:
    locked = (Command("lock", (which, "Gath")),)
    assert code(ask(LEXINGTON, "fire", "P1", admitted=locked)) == "admitted"


def test_a_lock_of_another_weapon_does_not_count() -> None:
    locked = (Command("lock", ("P2", "Gath")),)
    assert code(ask(LEXINGTON, "fire", "P1", admitted=locked)) == "E_NOLOCK"


def test_a_damaged_weapon_does_not_fire() -> None:
    def with_health(health: int) -> Thing:
        ship = aimed(LEXINGTON, "Gath")
        return changed(ship, weapons=tuple(w._replace(health=health) for w in ship.tac.weapons))

    assert code(ask(with_health(39), "fire", "P1")) == "E_DAMAGED"
    assert code(ask(with_health(40), "fire", "P1")) == "admitted"


@pytest.mark.parametrize("target", ["Yorktown", "Solace", "Lexington"])
def test_friends_and_independents_are_no_targets(target: str) -> None:
    assert code(ask(LEXINGTON, "lock", "all", target)) == "E_FRIEND"


def test_lock_range_falls_with_the_sensors() -> None:
    def at(sensors: int, way: int) -> str:
        ship = changed(LEXINGTON, systems=(100, 100, 100, sensors))
        foe = thing("Gath", "K", at=(1_000_000, 1_000_000 + way))
        return code(admit(galaxy(ship, foe).view(), "Lexington", CAPTAIN, "lock",
                          ["all", "Gath"], ()))  # fmt: skip

    assert (at(100, 600_000), at(100, 600_001)) == ("admitted", "E_LOCKRANGE")
    assert (at(50, 300_000), at(50, 300_001)) == ("admitted", "E_LOCKRANGE")
    assert (at(0, 150_000), at(0, 150_001)) == ("admitted", "E_LOCKRANGE")


def test_distress_only_under_attack() -> None:
    # Step 10 is being collected: hits count from step 5 on.
    assert code(ask(changed(LEXINGTON, last_hit=4), "distress")) == "E_NOATTACK"
    assert code(ask(changed(LEXINGTON, last_hit=5), "distress")) == "admitted"


def test_distress_once_in_ten_steps() -> None:
    attacked = changed(LEXINGTON, last_hit=29)
    late, early = changed(attacked, distress_at=20), changed(attacked, distress_at=21)
    assert code(ask(early, "distress", step=29)) == "E_COOLDOWN"
    assert code(ask(late, "distress", step=29)) == "admitted"


def test_answering_a_call() -> None:
    caller = changed(FRIEND, distress_at=5)
    view = galaxy(LEXINGTON, caller, step=9).view()
    found = admit(view, "Lexington", CAPTAIN, "respond", ["yorktown"], ())
    assert found == Command("respond", ("Yorktown",))


def test_abandoning_a_mission() -> None:
    from apps.starship.rules.objects import Mission

    busy = changed(LEXINGTON, mission=Mission("patrol", 1, 400, 30))
    assert ask(busy, "mission", "abandon") == Command("mission", ("abandon",))


def test_upgrades_only_at_an_own_starbase() -> None:
    rich = changed(LEXINGTON, points=500)
    assert code(ask(rich, "upgrade", "hull")) == "admitted"
    assert code(ask(changed(rich, speed=11), "upgrade", "hull")) == "E_DOCK"
    assert code(ask(changed(rich, shields_up=True), "upgrade", "hull")) == "E_DOCK"


def test_upgrades_of_one_step_are_paid_together() -> None:
    rich = changed(LEXINGTON, points=149)
    bought = (Command("upgrade", ("hull",)),)
    # 50 for the first level of the hull, 100 for its second, 50 for the first of another track.
    assert code(ask(rich, "upgrade", "hull", admitted=bought)) == "E_POINTS"
    assert code(ask(rich, "upgrade", "shield", admitted=bought)) == "admitted"


def test_the_highest_level() -> None:
    best = changed(LEXINGTON, points=500, upgrades=(5, 0, 0, 0, 0, 0))
    assert code(ask(best, "upgrade", "shield")) == "E_MAXLEVEL"


@given(
    st.one_of(st.sampled_from(sorted(COMMANDS)), st.text(max_size=8), st.none()),
    st.lists(
        st.one_of(
            st.text(max_size=8), st.integers(), st.floats(), st.none(), st.booleans(),
            st.sampled_from(["Gath", "all", "P1", "up", "hull", "45.0", "none"]),
        ),
        max_size=3,
    ),
)  # fmt: skip
def test_anything_is_an_order_or_a_refusal(name: object, words: list[Any]) -> None:
    found = ask(LEXINGTON, name, *words)
    if isinstance(found, Command):
        assert tuple(map(type, found.args)) == COMMANDS[found.name].types
    else:
        assert found.code.startswith("E_")
        assert found.text
